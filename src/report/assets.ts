/** The binary files that pictures need. They are part of npm packages; nothing is downloaded. */

import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const fonts = ['400Regular/Arimo_400Regular.ttf', '700Bold/Arimo_700Bold.ttf'];

/** Arimo, regular and bold, as TrueType. */
export function readFonts(): Uint8Array[] {
  return fonts.map((file) => readAsset(`@expo-google-fonts/arimo/${file}`));
}

/** The WebAssembly module of the rasteriser. */
export function readRasteriser(): Uint8Array {
  return readAsset('@resvg/resvg-wasm/index_bg.wasm');
}

/** Reads a file from `assets` next to the bundled command (put there by `tools/bundle.mjs`), or from its package. */
function readAsset(specifier: string): Uint8Array {
  const beside = new URL(`assets/${basename(specifier)}`, import.meta.url);
  return readFileSync(existsSync(beside) ? beside : fileURLToPath(import.meta.resolve(specifier)));
}
