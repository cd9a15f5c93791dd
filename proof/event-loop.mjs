// The event loop during `fit`. How late a timer fires depends on the machine: it is reported, not asserted. That
// timers fire while a step is computed does not depend on it, and is asserted.
import { strict as assert } from 'node:assert';
import { measure } from './support/lateness.mjs';

export default {
  name: 'event-loop',
  promise: 'Training by `fit` does not block the event loop: timers fire while a step is computed.',
  async prove({ full, log }) {
    const measured = await measure(full ? 20 : 3, log);
    const { nothing, longSteps, shortSteps, wideRows } = measured;
    const { firstRunAsync, firstFit, predictWithShortBatch } = measured;
    // If the event loop had to wait for each step, the timer could fire at most once between two steps.
    const { ticks, steps } = longSteps;
    assert.ok(
      ticks > steps + 1,
      `${ticks} ticks of a timer during ${steps} steps: it had to wait for them`,
    );
    // A first call that compiled in one go would leave a tick or two.
    for (const [title, { ticks: during }] of Object.entries({
      firstRunAsync,
      firstFit,
      predictWithShortBatch,
    })) {
      assert.ok(during > 20, `${title}: ${during} ticks of a timer: it had to wait`);
    }
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
        firstRunAsyncOfAnLstmOf200Steps: late(firstRunAsync),
        firstFitOfAnLstmOf150Steps: late(firstFit),
        predictWithAShortBatch: late(predictWithShortBatch),
      },
    };
  },
};
