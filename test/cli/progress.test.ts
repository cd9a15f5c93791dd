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
  it('makes room for a line, and starts anew below it', async () => {
    const screen = new Screen(true);
    const bars = await ProgressBars.on(screen);
    const bar = bars.start(2, 'epochs');
    bars.interrupt(() => screen.write('a line\n'));
    // The line that the bar is on is cleared, and where it is now is where it returns to at the end.
    expect(screen.text.endsWith('\r\u001b[Ka line\n\u001b7')).toBe(true);
    bar.advance(2, 0.125);
    bar.done();
    expect(screen.text).toMatch(/a line\n[\s\S]*epochs ━+ 100% {2}loss 0\.1250/);
  });

  it('is gone once it is done, and only one is shown at a time', async () => {
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

  it('writes nothing where there is no terminal', async () => {
    const screen = new Screen(false);
    const bars = await ProgressBars.on(screen);
    const bar = bars.start(3, 'epochs');
    bar.advance(3, 1);
    bars.interrupt(() => screen.write('a line\n'));
    bar.done();
    expect(screen.text).toBe('a line\n');
  });
});
