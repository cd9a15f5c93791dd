import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { ProgressBars } from '../../src/cli/progress.js';

class Screen extends Writable {
  text = '';
  readonly isTTY: boolean;
  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe('a progress bar', () => {
  it('prints a line in its place, and is drawn again below it', async () => {
    const screen = new Screen(true);
    const bars = await ProgressBars.on(screen);
    const bar = bars.start(2, 'epochs');
    bars.interrupt(() => screen.write('a line\n'));
    // The line of the bar is cleared before the text is written. Then the cursor position is saved, so that the bar is
    // drawn below the text.
    expect(screen.text.endsWith('\r\u001b[Ka line\n\u001b7')).toBe(true);
    bar.advance(2, 0.125);
    bar.done();
    expect(screen.text).toMatch(/a line\n[\s\S]*epochs ━+ 100% {2}loss 0\.1250/);
  });

  it('is not drawn again after done, and only one bar is shown at a time', async () => {
    const screen = new Screen(true);
    const bars = await ProgressBars.on(screen);
    const first = bars.start(3, 'first');
    bars.start(3, 'second').done();
    const shown = screen.text;
    first.advance();
    first.done();
    bars.stop();
    bars.interrupt(() => screen.write('after\n'));
    expect(screen.text).toBe(`${shown}after\n`);
  });

  it('writes nothing if the stream is not a terminal', async () => {
    const screen = new Screen(false);
    const bars = await ProgressBars.on(screen);
    const bar = bars.start(3, 'epochs');
    bar.advance(3, 1);
    bars.interrupt(() => screen.write('a line\n'));
    bar.done();
    expect(screen.text).toBe('a line\n');
  });
});
