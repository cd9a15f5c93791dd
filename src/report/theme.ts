/** The style that all pictures share: colours, fonts and sizes. */

/** Okabe and Ito's colours, which people with any colour vision can distinguish. The strongest colours come first. */
export const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'] as const;

export const ink = '#1f2328';
export const quietInk = '#59636e';
export const rule = '#d1d9e0';
/** The background of pictures. It is opaque, so that a picture looks the same on a dark page. */
export const paper = '#ffffff';

/**
 * The fonts of all pictures. They have the same character widths. Text is laid out for Arimo, the font of the PNGs, and
 * also fits if the machine of a reader draws it in another of these fonts.
 */
export const fontFamily = "Arimo, 'Liberation Sans', Arial, Helvetica, sans-serif";

export const titleSize = 17;
export const textSize = 13;

/** Returns the colour with the given index in the palette. The colours repeat after the sixth. */
export function colourOf(index: number): string {
  return palette[index % palette.length] as string;
}

/** Returns the red, green and blue of a colour `#rrggbb`, each from 0 to 255. */
export function channelsOf(colour: string): readonly [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** Escapes text for use as XML content or in an attribute with double quotes. */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
