// The event loop during `fit`. How late a timer is depends on the machine, and is told; that timers come while
// a step is computed does not, and is asserted.
import { strict as assert } from 'node:assert';
import { measure } from './support/lateness.mjs';

export default {
  name: 'event-loop',
  promise:
    'Training by `fit` leaves the event loop to others: timers go on while a step is computed.',
  async prove({ full, log }) {
    const { nothing, longSteps, shortSteps, wideRows } = await measure(full ? 20 : 3, log);
    // A loop that waited for each step could tick once between two of them at most.
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
