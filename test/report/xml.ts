/** Parses pictures as XML, for tests. */

import { DOMParser, type Element } from '@xmldom/xmldom';

/** The root element of an SVG. Throws if the text is not well-formed, even where a browser would accept it. */
export function parseXml(xml: string): Element {
  const parser = new DOMParser({
    onError: (_level, message) => {
      throw new Error(`not well-formed: ${message}`);
    },
  });
  const root = parser.parseFromString(xml, 'image/svg+xml').documentElement;
  if (root === null) throw new Error('not well-formed: there is no root');
  return root;
}

/** All elements of a name, in document order. */
export function elements(of: Element, name: string): Element[] {
  return [...of.getElementsByTagName(name)];
}

/** The value of an attribute; the empty string if it is missing. */
export function attribute(of: Element | undefined, name: string): string {
  return of?.getAttribute(name) ?? '';
}

/** The contents of all text elements of a picture. */
export function texts(svg: string): string[] {
  return elements(parseXml(svg), 'text').map((element) => (element.textContent ?? '').trim());
}
