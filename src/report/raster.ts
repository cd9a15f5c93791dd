/** Converts SVG to PNG, and pixels to PNG. */

import { ValueError } from '../errors.js';
import { readFonts, readRasteriser } from './assets.js';
import { paper } from './theme.js';

// The largest number of pixels of a PNG. Without this limit, a drawing of some thousand nodes could need gigabytes.
const mostPixels = 40_000_000;

interface Rasteriser {
  readonly Resvg: typeof import('@resvg/resvg-wasm').Resvg;
  readonly fonts: Uint8Array[];
}

let rasteriser: Promise<Rasteriser> | undefined;

/**
 * Renders an SVG as PNG. It uses only the fonts that forebay includes, not the fonts of the machine, so the same SVG
 * gives the same bytes everywhere.
 * @param options.scale the number of PNG pixels per SVG unit; 2 by default. It is reduced if the PNG would have more
 *   than 40 million pixels
 * @throws ValueError if `svg` is not an SVG
 */
export async function rasterise(
  svg: string,
  options: { readonly scale?: number } = {},
): Promise<Uint8Array> {
  rasteriser ??= startRasteriser();
  const { Resvg, fonts } = await rasteriser;
  const settings = {
    background: paper,
    font: { fontBuffers: fonts, defaultFontFamily: 'Arimo', sansSerifFamily: 'Arimo' },
  };
  const measured = open(Resvg, svg, settings);
  const most = Math.sqrt(mostPixels / (measured.width * measured.height));
  measured.free();
  const scale = Math.min(options.scale ?? 2, most);
  const drawing = open(Resvg, svg, { ...settings, fitTo: { mode: 'zoom', value: scale } });
  const image = drawing.render();
  const png = image.asPng();
  image.free();
  drawing.free();
  return png;
}

function open(
  Resvg: Rasteriser['Resvg'],
  svg: string,
  settings: import('@resvg/resvg-wasm').ResvgRenderOptions,
): InstanceType<Rasteriser['Resvg']> {
  try {
    return new Resvg(svg, settings);
  } catch (cause) {
    throw new ValueError(`rasterise: expected an SVG, but it cannot be read: ${String(cause)}`, {
      cause,
    });
  }
}

async function startRasteriser(): Promise<Rasteriser> {
  const { Resvg, initWasm } = await import('@resvg/resvg-wasm');
  await initWasm(readRasteriser());
  return { Resvg, fonts: readFonts() };
}

export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** The number of channels of a pixel: 1 for grey; 3 for red, green and blue; 4 for red, green, blue and opacity. */
  readonly channels: 1 | 3 | 4;
  /** The values of the pixels, row by row: width * height * channels bytes. */
  readonly data: Uint8Array;
}

/**
 * Encodes pixels as PNG, without loss.
 * @throws ValueError if the length of `data` is not width * height * channels, or if there are no pixels
 */
export async function encodePng(pixels: Pixels): Promise<Uint8Array> {
  const { width, height, channels, data } = pixels;
  const expected = width * height * channels;
  if (!(expected > 0) || data.length !== expected) {
    throw new ValueError(
      `encodePng: expected ${width} x ${height} x ${channels} bytes, but received ${data.length}`,
    );
  }
  const { encode } = await import('fast-png');
  return encode({ width, height, channels, depth: 8, data });
}

/** Returns a PNG as a data URL, for use inside an SVG. */
export function dataUrl(png: Uint8Array): string {
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
}
