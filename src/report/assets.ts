/** The binary files that pictures need. They come inside npm packages; nothing is downloaded. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const fonts = ['400Regular/Arimo_400Regular.ttf', '700Bold/Arimo_700Bold.ttf'];

/** Arimo, regular and bold, as TrueType. */
export function readFonts(): Uint8Array[] {
  return fonts.map((file) => readAsset(`@expo-google-fonts/arimo/${file}`));
}

/** The rasteriser's WebAssembly. */
export function readRasteriser(): Uint8Array {
  return readAsset('@resvg/resvg-wasm/index_bg.wasm');
}

function readAsset(specifier: string): Uint8Array {
  return readFileSync(fileURLToPath(import.meta.resolve(specifier)));
}
