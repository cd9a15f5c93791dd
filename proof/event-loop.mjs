// The event loop during `fit`. How late a timer fires depends on the machine: it is reported, not asserted. That
// timers fire while a step is computed does not depend on it, and is asserted.
import { strict as assert } from 'node:assert';
import { measure } from './support/lateness.mjs';

export default {
  name: 'event-loop',
  promise: 'Training by `fit` does not block the event loop: timers fire while a step is computed.',
  async prove({ full, log }) {
    const { nothing, longSteps, shortSteps, wideRows } = await measure(full ? 20 : 3, log);
    // If the event loop had to wait for each step, the timer could fire at most once between two steps.
    const { ticks, steps } = longSteps;
    assert.ok(
      ticks > steps + 1,
      `${ticks} ticks of a timer during ${steps} steps: it had to wait for them`,
    );
    const late = ({
      worstInTheQuietestRound: quietest,
      worstInTheMedianRound: median,
      medianTick,
    }) => ({
      worstInTheQuietestRound: quietest,
      worstInTheMedianRound: median,
      medianTick,
    });
    return {
      ticksDuringLongSteps: ticks,
      longSteps: steps,
      millisecondsLate: {
        withoutTraining: late(nothing),
        longSteps: late(longSteps),
        shortSteps: late(shortSteps),
        wideRows: late(wideRows),
      },
    };
  },
};
