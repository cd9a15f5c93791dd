// The event loop during `fit`. The delay of a timer depends on the machine, so it is reported and not asserted. It does
// not depend on the machine that timers fire while a step is computed, so this is asserted.
import { strict as assert } from 'node:assert';
import { measure } from './support/lateness.mjs';

export default {
  name: 'event-loop',
  promise: 'Training by `fit` does not block the event loop: timers fire while a step is computed.',
  async prove({ full, log }) {
    const measured = await measure(full ? 20 : 3, log);
    const { nothing, longSteps, shortSteps, wideRows } = measured;
    const { firstRunAsync, firstFit, predictWithShortBatch } = measured;
    // If the event loop were blocked during each step, the timer could fire at most once between two steps.
    const { ticks, steps } = longSteps;
    assert.ok(
      ticks > steps + 1,
      `${ticks} ticks of a timer during ${steps} steps: it had to wait for them`,
    );
    // If a first call compiled without a pause, the timer would fire only once or twice.
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
