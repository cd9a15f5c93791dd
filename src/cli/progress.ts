/** Shows progress on the terminal: a bar with the loss and the remaining time. */

import type { SingleBar } from 'cli-progress';

export interface Progress {
  /**
   * Advances the bar by `steps` steps (1 by default).
   * @param loss shown next to the bar, if it is given
   */
  advance(steps?: number, loss?: number): void;
  /** Stops the bar, leaves it on the screen and ends the line. Later calls do nothing. */
  done(): void;
}

/** A stream that may be a terminal. */
export type Terminal = NodeJS.WritableStream & { readonly isTTY?: boolean };

const silent: Progress = { advance: () => undefined, done: () => undefined };

/** The progress bars of one command. At most one bar is shown at a time. */
export class ProgressBars {
  readonly #terminal: Terminal;
  readonly #Bar: typeof SingleBar | undefined;
  #shown: SingleBar | undefined;

  private constructor(terminal: Terminal, Bar: typeof SingleBar | undefined) {
    this.#terminal = terminal;
    this.#Bar = Bar;
  }

  /** Returns the bars for a stream. Loads the library that draws bars only if the stream is a terminal. */
  static async on(terminal: Terminal): Promise<ProgressBars> {
    const Bar =
      terminal.isTTY === true ? (await import('cli-progress')).default.SingleBar : undefined;
    return new ProgressBars(terminal, Bar);
  }

  start(total: number, title: string): Progress {
    this.stop();
    if (this.#Bar === undefined) return silent;
    const bar = new this.#Bar({
      stream: this.#terminal,
      format: '{title} {bar} {percentage}%  loss {loss}  {eta_formatted} left',
      barCompleteChar: '━',
      barIncompleteChar: '─',
      barsize: 28,
      fps: 10,
      etaBuffer: 50,
      // The cursor stays visible and wrapping stays on, so nothing must be restored after an interrupt.
      hideCursor: false,
      linewrap: true,
      gracefulExit: false,
    });
    bar.start(Math.max(total, 1), 0, { title, loss: '–' });
    this.#shown = bar;
    return {
      advance: (steps = 1, loss) => {
        if (this.#shown !== bar) return;
        bar.increment(steps, loss === undefined ? {} : { loss: loss.toPrecision(4) });
      },
      done: () => {
        if (this.#shown === bar) this.stop();
      },
    };
  }

  /**
   * Calls `print`, which prints a line of text in place of the bar. The next step of the bar draws the bar again on the
   * line below. The escape sequence saves the new cursor position, because the bar returns to the saved position when
   * it stops.
   */
  interrupt(print: () => void): void {
    const drawn = this.#shown !== undefined;
    if (drawn) this.#terminal.write('\r\u001b[K');
    print();
    if (drawn) this.#terminal.write('\u001b7');
  }

  stop(): void {
    this.#shown?.stop();
    this.#shown = undefined;
  }
}
