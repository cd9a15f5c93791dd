// Proves that `fit` does not block the event loop. On every machine, timers must fire while a step is computed, so this
// is asserted. The delay of a timer depends on the machine, so it is only reported.
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
    // If the first call of a program compiled without returning to the event loop, the timer would fire once or twice.
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
        firstRunAsyncOfLstmOf200StepsInNewProcess: late(firstRunAsync),
        firstFitOfLstmOf150StepsInNewProcess: late(firstFit),
        predictWithShortBatchInNewProcess: late(predictWithShortBatch),
      },
    };
  },
};
