/** Writes the section on speed of the README from the results of a run, so that no figure is typed by hand. */

import { peers } from './contenders.js';
import { BenchError } from './errors.js';
import type { Machine, Results, Row } from './results.js';
import { formatUs, percent } from './table.js';
import { type ModelSpec, type Spec, workloads } from './workloads.js';

const begin = '<!-- bench: written by `npm run bench -- --readme` -->';
const end = '<!-- /bench -->';

/**
 * Returns the text of the README with a new section on speed.
 *
 * @throws BenchError if the text does not have the markers around the section
 */
export function withSection(readme: string, results: Results): string {
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from) {
    throw new BenchError(`README.md lacks the lines '${begin}' and '${end}', in this order`);
  }
  return `${readme.slice(0, from + begin.length)}\n${sectionOf(results)}${readme.slice(to)}`;
}

/** Returns the section on speed as paragraphs and tables in Markdown. */
export function sectionOf(results: Results): string {
  const rows = results.rows.filter(({ limit }) => limit !== null);
  const cautions = cautionsOf(results).map((caution) => wrap(`**${caution}**`));
  const parts = [...cautions, introduction(results), table(results, rows)];
  if (shownPeers(rows).length > 0) parts.push(standing(results, rows), forms(rows));
  return `${[...parts, ...compileTimes(results.rows)].join('\n\n')}\n`;
}

const fewRounds = 5;
/** If the load average before the run is above this limit, the machine was not idle. */
const idleLoad = 0.5;

/**
 * Returns the reasons why the figures of a run are not reliable, one sentence for each; empty if there is no reason.
 */
export function cautionsOf({ machine, rounds, compiled, rows }: Results): string[] {
  const cautions: string[] = [];
  if (rounds < fewRounds)
    cautions.push(`Only ${rounds} round${rounds > 1 ? 's' : ''}: these figures may be far off.`);
  if (machine.load > idleLoad) {
    cautions.push(
      `The machine was busy with something else (load average ${machine.load}): these figures may be far off.`,
    );
  }
  if (!compiled && rows.some(({ ratios }) => 'torch' in ratios)) {
    cautions.push("PyTorch ran without torch.compile's forms, which may be its fastest.");
  }
  return cautions;
}

const shownPeers = (rows: readonly Row[]) =>
  peers.filter(({ name }) => rows.some(({ ratios }) => name in ratios));

/** Returns a version without the label of its build, such as +cpu. */
const plain = (version: string) => version.split('+')[0] as string;

function introduction({ machine, threads, rounds, date, commit, peers: hellos }: Results): string {
  const known = peers.flatMap(({ name, title }) => {
    const hello = hellos[name];
    return hello === undefined ? [] : [`${title} ${plain(hello.version)}`];
  });
  const count = threads === 1 ? 'one thread' : `${threads} threads`;
  return wrap(
    `The table shows the time of a step of forebay in microseconds, and how many times as long each peer takes; below 1 ` +
      `the peer is faster. Each of them uses ${count}. ` +
      `Each figure is the median of ${rounds} rounds of one run of \`npm run bench\` on ${machineText(machine)}` +
      `${known.length > 0 ? `, beside ${list(known)}` : ''}; ${date.slice(0, 10)}, commit ${commit ?? 'unknown'}. ` +
      'Each peer runs in every form that it has, and the fastest counts. Gradients are compared before anything is timed. ' +
      'forebay and the peer take turns of 0.4 s. "Of the limit" is the least time that the step could take on that ' +
      'machine, divided by the time that forebay takes. The least time follows from the peak speed of products and the ' +
      'speed of copying memory; [bench](bench/README.md#the-limit) has the formula.',
  );
}

function machineText({ cpu, cores, capability, os, node }: Machine): string {
  const plural = cores === 1 ? 'core' : 'cores';
  return `${cpu}${capability === null ? '' : ` with ${capability}`} (${cores} ${plural}; ${os}, Node ${node.replace('v', '')})`;
}

function table({ peers: hellos }: Results, rows: readonly Row[]): string {
  const shown = shownPeers(rows);
  const titles = shown.map(({ name, title }) => `${title} ${plain(hellos[name]?.version ?? '')}`);
  const lines = rows.map(({ workload, us, limit, ratios }) => {
    const cells = shown.map(({ name }) => (ratios[name] ? ratio(ratios[name].median) : ''));
    return [
      `\`${workload}\`${describe(workloads[workload])}`,
      formatUs(us),
      limit === null ? '' : percent(limit.fraction),
      ...cells,
    ];
  });
  return markdown(['workload', 'forebay, µs', 'of the limit', ...titles], lines);
}

/** Returns sentences that say how fast each peer is, relative to forebay. */
function standing({ peers: hellos }: Results, rows: readonly Row[]): string {
  const sentences = shownPeers(rows).map(({ name, title }) => {
    const here = rows.filter(({ ratios }) => name in ratios);
    const medians = here.map(({ ratios }) => ratios[name]?.median as number);
    const [least, most] = [Math.min(...medians), Math.max(...medians)];
    const span = least === most ? ratio(least) : `${ratio(least)} to ${ratio(most)}`;
    const behind = here.filter(({ ratios }) => (ratios[name]?.median as number) < 1);
    const faster = behind.map(({ workload, ratios }) => {
      return `\`${workload}\` (${ratio(ratios[name]?.median as number)})`;
    });
    const tail = faster.length === 0 ? '' : `; it is faster than forebay on ${list(faster)}`;
    return `${title} ${plain(hellos[name]?.version ?? '')} takes ${span} the time of forebay${tail}.`;
  });
  return wrap(sentences.join(' '));
}

/** Returns a table of the fastest form of each peer that has several forms. */
function forms(rows: readonly Row[]): string {
  const several = shownPeers(rows).filter(({ name }) =>
    rows.some(({ forms: tried }) => (tried[name]?.length ?? 0) > 1),
  );
  const lines = rows.map(({ workload, fastest }) => [
    `\`${workload}\``,
    ...several.map(({ name }) => fastest[name] ?? ''),
  ]);
  const titles = several.map(({ title }) => `fastest form of ${title}`);
  return markdown(['workload', ...titles], lines);
}

function compileTimes(rows: readonly Row[]): string[] {
  const parts = rows.flatMap(({ parts: of }) => Object.entries(of ?? {}));
  if (parts.length === 0) return [];
  const times = parts.map(
    ([name, { median }]) => `${(median / 1e6).toPrecision(2)} s for \`${name}\``,
  );
  return [wrap(`Building, differentiating and compiling takes ${list(times)}.`)];
}

/** The optimizers as `describe` names them. Plain gradient descent is not named. */
const optimizerTitles = { sgd: '', adam: ', Adam', adamW: ', AdamW' } as const;

/** Returns a short description of a workload, such as its sizes; empty if the workload is unknown or is `compile`. */
function describe(spec: Spec | undefined): string {
  if (spec === undefined || spec.kind === 'compile') return '';
  const optimizer = 'optimizer' in spec ? optimizerTitles[spec.optimizer] : '';
  const dtype = spec.dtype === 'float64' ? ', float64' : '';
  return `: ${sizes(spec)}, batch ${spec.batch}${optimizer}${dtype}`;
}

function sizes(spec: ModelSpec): string {
  switch (spec.kind) {
    case 'vae': {
      const { inputs, hidden, latent } = spec;
      return [inputs, hidden, latent, hidden, inputs].join('-');
    }
    case 'mlp':
    case 'predict':
      return spec.layers.join('-');
    case 'conv':
      return `${spec.side} x ${spec.side} images, 3 x 3 filters ${spec.channels.join('-')}`;
    case 'cnn': {
      const { side, channels, hidden, classes } = spec;
      return `${side} x ${side} images, 3 x 3 filters ${channels.join('-')} with batch normalisation and pooling, ${hidden}-${classes}`;
    }
    case 'resnet': {
      const { side, channels, filters, blocks } = spec;
      return `${side} x ${side} images, 3 x 3 filters ${channels}-${filters}, ${blocks} residual blocks`;
    }
    case 'tcn': {
      const { length, channels, filters, convolutions } = spec;
      return `series of ${length}, ${convolutions} dilated causal convolutions ${channels}-${filters}, of which the last step is read`;
    }
    case 'bag':
      return `mean of ${spec.length} embeddings of ${spec.words} words, ${spec.width}-${spec.hidden}-${spec.classes}`;
    case 'gpt': {
      const { blocks, width, heads, tokens, vocabulary } = spec;
      return `${blocks} transformer blocks of width ${width} with ${heads} heads, ${tokens} of ${vocabulary} tokens`;
    }
    default:
      return `${spec.inputs} → ${spec.units} → ${spec.outputs}, ${spec.steps} steps`;
  }
}

const ratio = (value: number) =>
  `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ×`;

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

function markdown(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replace(/ {2,}\|/g, ' |');
  return [line(titles), `|${'---|'.repeat(titles.length)}`, ...rows.map(line)].join('\n');
}

/** Breaks text into lines of up to 116 characters. */
function wrap(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) as string;
    if (last.length + word.length + 1 > 116) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.join('\n');
}
