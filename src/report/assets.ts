/** Reads the binary files that pictures need. They are part of npm packages; nothing is downloaded. */

import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const fonts = ['400Regular/Arimo_400Regular.ttf', '700Bold/Arimo_700Bold.ttf'];

/** Returns the TrueType files of the font Arimo, regular and bold. */
export function readFonts(): Uint8Array[] {
  return fonts.map((file) => readAsset(`@expo-google-fonts/arimo/${file}`));
}

/** Returns the WebAssembly module of the rasteriser. */
export function readRasteriser(): Uint8Array {
  return readAsset('@resvg/resvg-wasm/index_bg.wasm');
}

/**
 * Reads a file from the folder `assets` next to the bundled command, where `tools/bundle.mjs` puts it. If there is no
 * such file, reads it from its npm package.
 */
function readAsset(specifier: string): Uint8Array {
  const beside = new URL(`assets/${basename(specifier)}`, import.meta.url);
  return readFileSync(existsSync(beside) ? beside : fileURLToPath(import.meta.resolve(specifier)));
}
