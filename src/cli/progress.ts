/** Progress on the terminal: a bar with the loss and the time that is left. */

import type { SingleBar } from 'cli-progress';

export interface Progress {
  /**
   * So many steps are done since the last call.
   * @param loss shown beside the bar, when it is given
   */
  advance(steps?: number, loss?: number): void;
  /** Leaves the bar as it stands and ends the line. More calls do nothing. */
  done(): void;
}

/** A stream that may be a terminal. */
export type Terminal = NodeJS.WritableStream & { readonly isTTY?: boolean };

const silent: Progress = { advance: () => undefined, done: () => undefined };

/** The bars of one command. At most one is shown at a time. */
export class ProgressBars {
  readonly #terminal: Terminal;
  readonly #Bar: typeof SingleBar | undefined;
  #shown: SingleBar | undefined;

  private constructor(terminal: Terminal, Bar: typeof SingleBar | undefined) {
    this.#terminal = terminal;
    this.#Bar = Bar;
  }

  /** Loads what draws bars only where there is a terminal to draw on. */
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
      // Nothing is hidden or switched off, so an interrupt leaves nothing to be restored.
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
   * Prints a line of text where the bar is; the bar's next step draws it again, below. Where the
   * bar began is noted anew: it goes there when it stops.
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
