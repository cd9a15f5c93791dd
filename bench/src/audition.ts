/**
 * Finds the fastest form of a peer (a form is one way to run a workload, such as eager or compiled): compares the
 * results of each form with those of forebay, times all forms, and starts the fastest again in a new process.
 */

import { type Agreement, assertAgreement } from './agree.js';
import { environment, type Peer } from './contenders.js';
import { BenchError } from './errors.js';
import type { Start, Tensors } from './exchange.js';
import { findFastest, timeStep } from './fastest.js';
import { Contender, type Form, type Hello } from './protocol.js';
import { Team } from './team.js';
import { type ModelSpec, training } from './workloads.js';

/** The settings of a run of the benchmark. They are the same for all peers. */
export interface Conditions {
  readonly threads: number;
  /** The processor type that the OpenBLAS of the peers must use; null to leave the choice to OpenBLAS. */
  readonly core: string | null;
  /** True if forms that need a C++ compiler are tried, too. */
  readonly compiled: boolean;
  readonly sliceSeconds: number;
}

/** A workload, its initial values, and the results that forebay computed for them. */
export interface Reference {
  readonly workload: string;
  readonly spec: ModelSpec;
  readonly start: Start;
  readonly own: Form;
  /** The results with which those of the peers are compared. */
  readonly expected: Tensors;
}

/** A form of a peer, and the time that was measured when the forms were compared with each other. */
export interface FormTime {
  readonly form: string;
  /** Microseconds per step: the least of several measurements; null if the form could not be run. */
  readonly us: number | null;
  /** The reason why the form could not be run. */
  readonly why?: string;
}

/** The fastest form of a peer, loaded in a process. */
export interface Winner {
  readonly contender: Contender;
  readonly hello: Hello;
  readonly agreement: Agreement;
  /** The name of the form in requests to its process. */
  readonly form: string;
  /** The name of the form for the reader, with the name of the environment if the peer has several. */
  readonly label: string;
  readonly secondsPerStep: number;
  /** Every form of the peer, with its time. */
  readonly forms: readonly FormTime[];
}

/** A process of a peer that has loaded the workload. */
interface Joined {
  readonly contender: Contender;
  readonly hello: Hello;
  readonly forms: readonly Form[];
  readonly leftOut: Readonly<Record<string, string>>;
  /** The agreement of the form whose results differ most from those of forebay; undefined if there is no form. */
  readonly agreement: Agreement | undefined;
}

interface Candidate {
  readonly joined: Joined;
  readonly environment: string;
  readonly form: string;
}

/**
 * Tries all forms of a peer in all of its environments. Returns the fastest form, loaded in a process.
 *
 * @throws BenchError if the results of a form differ from those of forebay, or if no form can be run
 */
export async function audition(
  peer: Peer,
  reference: Reference,
  conditions: Conditions,
): Promise<Winner> {
  const environments = Object.keys(peer.environments ?? { '': {} });
  const labelOf = (form: string, variables: string) =>
    environments.length > 1 ? `${form}; ${variables}` : form;
  const started = new Team();
  let kept: Contender | undefined;
  try {
    const candidates: Candidate[] = [];
    const failed: FormTime[] = [];
    for (const variables of environments) {
      const joined = await join(peer, variables, reference, conditions);
      started.use(joined.contender);
      candidates.push(
        ...joined.forms.map(({ name }) => ({ joined, environment: variables, form: name })),
      );
      for (const [form, why] of Object.entries(joined.leftOut)) {
        failed.push({ form: labelOf(form, variables), us: null, why });
      }
    }
    if (candidates.length === 0) {
      const reasons = failed.map(({ form, why }) => `${form}: ${why}`).join('\n');
      throw new BenchError(`${peer.name} has no form of this workload\n${reasons}`.trim());
    }
    const { best, seconds } = await findFastest(candidates, ({ joined, form }) =>
      timeStep(
        async (steps) => (await joined.contender.ask('round', { steps, form })).seconds,
        conditions.sliceSeconds,
      ),
    );
    // The winner gets a new process, so that the memory of the other forms is not counted. If there is only one form,
    // its process is kept.
    const alone = candidates.length === 1;
    const winner = alone
      ? best.joined
      : await join(peer, best.environment, reference, conditions, best.form);
    kept = winner.contender;
    return {
      contender: winner.contender,
      hello: winner.hello,
      agreement: winner.agreement as Agreement,
      form: best.form,
      label: labelOf(best.form, best.environment),
      secondsPerStep: seconds.get(best) as number,
      forms: [
        ...[...seconds].map(([candidate, least]) => ({
          form: labelOf(candidate.form, candidate.environment),
          us: least * 1e6,
        })),
        ...failed,
      ],
    };
  } finally {
    await started.dispose(kept);
  }
}

/** Starts a peer, loads the workload into it, and compares the results of each form with those of forebay. */
async function join(
  peer: Peer,
  variables: string,
  { workload, spec, start, own, expected }: Reference,
  { threads, core, compiled }: Conditions,
  only: string | null = null,
): Promise<Joined> {
  const command = peer.command();
  if (command === undefined) {
    throw new BenchError(`${peer.title} is not installed: ${peer.install}`);
  }
  const env = environment(threads, core, peer.environments?.[variables]);
  const contender = new Contender(peer.name, command, env);
  try {
    const hello = await contender.ask('hello', { threads, compiled });
    peer.inspect?.(hello);
    const { folder, entries } = start;
    const request = { spec, folder, manifest: entries, training, only };
    const { forms, leftOut = {} } = await contender.ask('load', request);
    const mine = { form: own, results: expected };
    const agreements = forms.map((form) =>
      assertAgreement(workload, spec, { name: peer.name, form, folder }, mine),
    );
    const [agreement] = agreements.sort((a, b) => b.distance - a.distance);
    return { contender, hello, forms, leftOut, agreement };
  } catch (error) {
    await contender[Symbol.asyncDispose]();
    throw error;
  }
}
