import { readFileSync } from 'node:fs';
import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { ValueError } from '../../src/errors.js';
import { encodePng, rasterise } from '../../src/report/raster.js';

const svg = (inner: string, width = 8, height = 4) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${inner}</svg>`;

describe('rasterise', () => {
  it('draws the right pixels, on white, at the scale', async () => {
    const png = decode(
      await rasterise(svg('<rect x="2" y="1" width="3" height="2" fill="#08c"/>')),
    );
    expect([png.width, png.height, png.channels]).toEqual([16, 8, 4]);
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 16; x++) {
        const inside = x >= 4 && x < 10 && y >= 2 && y < 6;
        expect([...png.data.slice(4 * (16 * y + x), 4 * (16 * y + x) + 4)]).toEqual(
          inside ? [0, 0x88, 0xcc, 255] : [255, 255, 255, 255],
        );
      }
    }
    expect(decode(await rasterise(svg(''), { scale: 1 })).width).toBe(8);
  });

  it('draws text with the font that forebay includes: bold is darker, and no text is lost', async () => {
    const inkOf = async (attributes: string) => {
      const family = 'font-family="Arimo, \'Liberation Sans\', sans-serif"';
      const text = `<text x="2" y="24" font-size="20" ${family} ${attributes}>Hg10⁻⁴−µσ→</text>`;
      const { data } = decode(await rasterise(svg(text, 160, 30)));
      let ink = 0;
      for (let i = 0; i < data.length; i += 4) ink += 255 - (data[i] as number);
      return ink / 255;
    };
    const regular = await inkOf('');
    expect(regular).toBeGreaterThan(600);
    expect(await inkOf('font-weight="bold"')).toBeGreaterThan(1.15 * regular);
    // The attribute font-family-x does not exist, so the text must look the same.
    expect(await inkOf('font-family-x=""')).toBe(regular);
  });

  it('gives the same bytes for the same picture', async () => {
    const picture = svg('<text x="0" y="4" font-size="4">forebay</text>', 20, 6);
    expect(await rasterise(picture)).toEqual(await rasterise(picture));
  });

  it('limits the number of pixels of a huge drawing', async () => {
    const png = await rasterise(svg('', 40_000, 20_000), { scale: 1 });
    const view = new DataView(png.buffer, png.byteOffset);
    const pixels = view.getUint32(16) * view.getUint32(20);
    expect(pixels).toBeLessThan(41e6);
    expect(pixels).toBeGreaterThan(38e6);
  });

  it('refuses text that is not an SVG', async () => {
    await expect(rasterise('not an svg')).rejects.toThrow(ValueError);
    await expect(rasterise('<svg')).rejects.toThrow(/expected an SVG/);
  });
});

describe('encodePng', () => {
  it.each([1, 3, 4] as const)('keeps every byte of %i channels', async (channels) => {
    const data = Uint8Array.from({ length: 5 * 3 * channels }, (_, i) => (i * 89) % 256);
    const png = decode(await encodePng({ width: 5, height: 3, channels, data }));
    expect([png.width, png.height, png.channels]).toEqual([5, 3, channels]);
    expect([...png.data]).toEqual([...data]);
  });

  it('refuses pixels that do not fit', async () => {
    const data = new Uint8Array(5);
    await expect(encodePng({ width: 2, height: 3, channels: 1, data })).rejects.toThrow(
      /expected 2 x 3 x 1 bytes, but received 5/,
    );
    await expect(
      encodePng({ width: 0, height: 0, channels: 1, data: new Uint8Array(0) }),
    ).rejects.toThrow(ValueError);
  });
});

it('loads no drawing library before a picture is drawn', () => {
  // Every command imports these modules. If they imported a drawing library statically, every command would load it.
  for (const file of ['chart', 'plot', 'raster', 'graphviz', 'images', 'regions', 'index']) {
    const source = readFileSync(new URL(`../../src/report/${file}.ts`, import.meta.url), 'utf8');
    const imported = [...source.matchAll(/^(?:import|export) (?!type\b)[^;]*? from '([^']+)'/gm)];
    expect(
      imported.map((match) => match[1]).filter((name) => !/^(\.|node:)/.test(name as string)),
    ).toEqual([]);
  }
});
