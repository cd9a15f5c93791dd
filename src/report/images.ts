/** Draws grids of small greyscale images: digits, and pairs of a digit and its reconstruction. */

import { ShapeError, ValueError } from '../errors.js';
import { dataUrl, encodePng } from './raster.js';
import { escapeXml, fontFamily, ink, paper, quietInk, rule, textSize, titleSize } from './theme.js';

export interface ImageGrid {
  readonly title: string;
  readonly subtitle?: string;
  /**
   * The pixels of the images, of shape [n, height * width]. 0 is paper and 1 is ink; other values are clamped. NaN is
   * drawn as paper.
   */
  readonly images: ArrayLike<number>;
  /** The size of one image in pixels, 28 x 28 by default. */
  readonly imageWidth?: number;
  readonly imageHeight?: number;
  /** The number of images in a row; 10 by default. */
  readonly columns?: number;
  /**
   * Other images, as many as in `images`. Each of them is drawn under the image with the same index in `images`.
   * `rowLabels` are the labels of these two rows.
   */
  readonly partners?: ArrayLike<number>;
  readonly rowLabels?: readonly [string, string];
  /** The captions. Each is written under one image, or under one pair of images. */
  readonly captions?: readonly string[];
  /** The number of SVG units per pixel; 2 by default. */
  readonly zoom?: number;
}

const edge = 22;
const gap = 6;

/**
 * Draws images in rows, dark ink on light paper.
 * @returns SVG text that contains each image as a PNG; the same grid always gives the same text
 * @throws ShapeError if `images` is not a whole number of images, or if the number of `partners` or `captions` differs;
 *   ValueError if there are no images
 */
export async function imageGrid(grid: ImageGrid): Promise<string> {
  const { imageWidth = 28, imageHeight = 28, zoom = 2, partners, captions, rowLabels } = grid;
  const count = countOf(grid, imageWidth * imageHeight);
  const columns = Math.min(grid.columns ?? 10, count);
  const width = imageWidth * zoom;
  const height = imageHeight * zoom;
  const left = edge + (rowLabels === undefined ? 0 : labelWidth(rowLabels));
  const top = edge + titleSize + (grid.subtitle === undefined ? 0 : textSize + 10) + 16;
  const cell = partners === undefined ? height : 2 * height + 2;
  const rowHeight = cell + (captions === undefined ? gap : textSize + 10) + (partners ? 8 : 0);
  const rows = Math.ceil(count / columns);

  const parts: string[] = [];
  const drawRow = async (images: ArrayLike<number>, offset: number) => {
    for (let index = 0; index < count; index++) {
      const x = left + (index % columns) * (width + gap);
      const y = top + Math.floor(index / columns) * rowHeight + offset;
      const url = await imageUrl(images, index, imageWidth, imageHeight);
      parts.push(
        `<image x="${x}" y="${y}" width="${width}" height="${height}" href="${url}"/>`,
        `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="none" stroke="${rule}"/>`,
      );
    }
  };
  await drawRow(grid.images, 0);
  if (partners !== undefined) await drawRow(partners, height + 2);
  for (const [index, caption] of (captions ?? []).entries()) {
    const x = left + (index % columns) * (width + gap) + width / 2;
    const y = top + Math.floor(index / columns) * rowHeight + cell + textSize + 1;
    parts.push(text(x, y, caption, { anchor: 'middle', colour: quietInk }));
  }
  if (rowLabels !== undefined) {
    for (let row = 0; row < rows; row++) {
      for (const [half, label] of rowLabels.entries()) {
        const y = top + row * rowHeight + half * (height + 2) + height / 2 + textSize / 3;
        parts.push(text(left - 12, y, label, { anchor: 'end', colour: quietInk }));
      }
    }
  }
  const heading = [
    text(edge, edge + titleSize - 4, grid.title, { size: titleSize, weight: 'bold' }),
    ...(grid.subtitle === undefined
      ? []
      : [text(edge, edge + titleSize + textSize + 5, grid.subtitle, { colour: quietInk })]),
  ];
  const longest = Math.max(labelWidth([grid.title]) * 1.35, labelWidth([grid.subtitle ?? '']));
  const totalWidth = Math.ceil(
    Math.max(left + columns * (width + gap) - gap + edge, edge + longest),
  );
  const totalHeight = top + rows * rowHeight - gap + edge;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${totalWidth}" height="${totalHeight}" viewBox="0 0 ${totalWidth} ${totalHeight}" font-family="${escapeXml(fontFamily)}">`,
    `<rect width="${totalWidth}" height="${totalHeight}" fill="${paper}"/>`,
    ...heading,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function countOf(grid: ImageGrid, pixels: number): number {
  const count = grid.images.length / pixels;
  const named = `imageGrid '${grid.title}':`;
  if (!Number.isInteger(count)) {
    throw new ShapeError(
      `${named} expected a multiple of ${pixels} pixels, but received ${grid.images.length}`,
    );
  }
  if (count === 0) throw new ValueError(`${named} expected at least one image, but received none`);
  if (grid.partners !== undefined && grid.partners.length !== grid.images.length) {
    throw new ShapeError(
      `${named} expected ${grid.images.length} pixels in partners, as in images, but received ${grid.partners.length}`,
    );
  }
  if (grid.captions !== undefined && grid.captions.length !== count) {
    throw new ShapeError(
      `${named} expected ${count} captions, one for each image, but received ${grid.captions.length}`,
    );
  }
  return count;
}

function imageUrl(
  images: ArrayLike<number>,
  index: number,
  width: number,
  height: number,
): Promise<string> {
  const size = width * height;
  const data = new Uint8Array(size);
  for (let pixel = 0; pixel < size; pixel++) {
    const value = images[index * size + pixel] as number;
    data[pixel] = 255 - Math.round(255 * Math.min(1, Math.max(0, value || 0)));
  }
  return encodePng({ width, height, channels: 1, data }).then(dataUrl);
}

/** Returns a width in SVG units that is large enough for each of the labels in any of the fonts. */
function labelWidth(labels: readonly string[]): number {
  return Math.max(...labels.map((label) => label.length)) * textSize * 0.52 + 16;
}

function text(
  x: number,
  y: number,
  content: string,
  style: {
    readonly anchor?: 'middle' | 'end';
    readonly colour?: string;
    readonly size?: number;
    readonly weight?: 'bold';
  },
): string {
  const anchor = style.anchor === undefined ? '' : ` text-anchor="${style.anchor}"`;
  const weight = style.weight === undefined ? '' : ` font-weight="${style.weight}"`;
  return `<text x="${x}" y="${y}" font-size="${style.size ?? textSize}"${weight}${anchor} fill="${style.colour ?? ink}">${escapeXml(content)}</text>`;
}
