/** Parses pictures as XML. Used by tests. */

import { DOMParser, type Element } from '@xmldom/xmldom';

/** Returns the root element of an SVG. Throws if the text is not well-formed, even if a browser would accept it. */
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

/** Returns all elements with this name inside `of`, in document order. */
export function elements(of: Element, name: string): Element[] {
  return [...of.getElementsByTagName(name)];
}

/** Returns the value of an attribute; the empty string if the element or the attribute is missing. */
export function attribute(of: Element | undefined, name: string): string {
  return of?.getAttribute(name) ?? '';
}

/** Returns the contents of all text elements of a picture. */
export function texts(svg: string): string[] {
  return elements(parseXml(svg), 'text').map((element) => (element.textContent ?? '').trim());
}
