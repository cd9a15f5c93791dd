/** The public API of forebay: every name that `import` from forebay provides. */

import './arguments/globals.js';

export { type BackwardOptions, backward } from './autodiff/backward.js';
export { type CheckOptions, checkGradients } from './autodiff/check.js';
export { Gradients } from './autodiff/gradients.js';
export { BackwardPass } from './autodiff/pass.js';
export { type Assigned, assign } from './compile/assign.js';
export type { Variables } from './compile/constants.js';
export type { Stats } from './compile/encoded.js';
export type { ProfileRow } from './compile/profile.js';
export {
  type AsyncRunOptions,
  type CompileOptions,
  compile,
  Program,
  type RunOptions,
} from './compile/program.js';
export type {
  DimsOf,
  FeedsOf,
  Inputs,
  IntoOf,
  MeansOf,
  Nodes,
  ResultsOf,
  Signature,
  TensorsOf,
} from './compile/signature.js';
export {
  DTypeError,
  ForebayError,
  FormatError,
  GraphError,
  NativeError,
  NumericError,
  ShapeError,
  StateError,
  ValueError,
} from './errors.js';
export type { Feeds } from './evaluate/bind.js';
export { type EvaluateOptions, evaluate } from './evaluate/evaluate.js';
export type { Updates } from './evaluate/interpreter.js';
export type { Bindings, Dim, Shape } from './graph/dimension.js';
export { type DotOptions, dot } from './graph/dot.js';
export {
  Constant,
  constant,
  type Initializer,
  Input,
  input,
  Leaf,
  type LeafKind,
  type LeafOptions,
  type ParameterOptions,
  parameter,
  state,
  Variable,
} from './graph/leaf.js';
export type {
  Bound,
  ConvolutionCall,
  Lowering,
  RoutineShapes,
  SeveralLowering,
  SeveralRoutineShapes,
  View,
} from './graph/lowering.js';
export { inference, training } from './graph/mode.js';
export { Node } from './graph/node.js';
export {
  type Fail,
  type GradientContext,
  type Local,
  type LocalContext,
  type NotDifferentiable,
  none,
  notDifferentiable,
  type Op,
  type OpDeclaration,
  type Operand,
  Part,
  type Refusal,
  type Sample,
  type SampleInput,
  type Sent,
  type SeveralContext,
  type SeveralDeclaration,
} from './graph/op.js';
export { result } from './graph/result.js';
export type { BoundResults, Result, Results } from './graph/results.js';
export { setSeed } from './graph/seed.js';
export { sideUpdate, sideUpdates } from './graph/side-updates.js';
export { type Replacements, substitute } from './graph/substitute.js';
export { type Edge, WaitList } from './graph/waitlist.js';
export type { Region, Window } from './graph/window.js';
export { type CsvColumn, type CsvColumns, type CsvOptions, loadCsv, parseCsv } from './io/csv.js';
export type { FloatType, FloatTypes } from './io/encoding.js';
export type { Metadata } from './io/header.js';
export { type LoadNpyOptions, loadNpy, saveNpy } from './io/npy.js';
export { loadNpz, type SaveNpzOptions, saveNpz } from './io/npz.js';
export { type RestoreOptions, restore } from './io/restore.js';
export { load, loadMetadata, type SaveOptions, save } from './io/safetensors.js';
export type { DTypes, LoadOptions, Skipped } from './io/selection.js';
export { loadSharded } from './io/sharded.js';
export type { FilePath, FileSource, FileUrl } from './io/sources.js';
export type { Saved } from './io/values.js';
export * from './losses/index.js';
export { copy } from './modules/copy.js';
export {
  type ArgumentsOf,
  type Match,
  Module,
  type OwnParameterOptions,
  type ResultOf,
} from './modules/module.js';
export type { Restored } from './modules/named.js';
export { Scope, type ScopeOptions, scope } from './modules/scope.js';
export { Sequential, type SequentialLayer } from './modules/sequential.js';
export { summary } from './modules/summary.js';
export type { LeftOut, NameMap, TransferOptions } from './modules/transfer.js';
export type { WeightMap } from './modules/weights.js';
export { type ConfigureOptions, configure } from './native/configure.js';
export { type NativeInfo, nativeInfo } from './native/info.js';
export { getThreads, setThreads } from './native/threads.js';
export type { Activation, ActivationName } from './nn/activations.js';
export { BatchNorm, type BatchNormOptions } from './nn/batch-norm.js';
export {
  Conv1d,
  type Conv1dOptions,
  Conv2d,
  type Conv2dOptions,
  ConvTranspose2d,
  type ConvTranspose2dOptions,
} from './nn/convolution.js';
export { Dense, type DenseOptions, FeedForward, type FeedForwardOptions } from './nn/dense.js';
export { Dropout, type DropoutLayerOptions } from './nn/dropout.js';
export { Embedding, type EmbeddingOptions } from './nn/embedding.js';
export { GRU, type GRUGates, type GRUOptions } from './nn/gru.js';
export { initializers } from './nn/initializers.js';
export type { LayerOptions } from './nn/layer.js';
export { type Adapter, type LoRA, type LoRAMatch, type LoRAOptions, lora } from './nn/lora.js';
export { LSTM, type LSTMGates, type LSTMOptions, type LSTMState } from './nn/lstm.js';
export {
  type AttendingOptions,
  type AttentionOperands,
  MultiHeadAttention,
  type MultiHeadAttentionOptions,
} from './nn/multi-head-attention.js';
export {
  GroupNorm,
  type GroupNormOptions,
  LayerNorm,
  type LayerNormOptions,
  RMSNorm,
  type RMSNormOptions,
} from './nn/normalization.js';
export { maps, type PytorchOptions, type Renaming } from './nn/pytorch.js';
export {
  type Directions,
  type HiddenState,
  type LayerStatesOf,
  Recurrent,
  type RecurrentOptions,
  type Stacked,
  type StatesOf,
  type UnrollOptions,
} from './nn/recurrent.js';
export { SimpleRNN, type SimpleRNNGates, type SimpleRNNOptions } from './nn/simple-rnn.js';
export { TransformerEncoderLayer, type TransformerEncoderLayerOptions } from './nn/transformer.js';
export {
  type LossOptions,
  VariationalAutoencoder,
  type VariationalAutoencoderOptions,
} from './nn/vae.js';
export * from './ops/index.js';
export {
  type Carried,
  type Recompute,
  type ScanBody,
  type Scanned,
  type ScanOptions,
  scan,
} from './ops/scan.js';
export {
  type AverageOptions,
  accumulate,
  averageWeights,
} from './optim/accumulate.js';
export { type AdamOptions, type AdamWOptions, adam, adamW } from './optim/adam.js';
export {
  type Chooses,
  chain,
  clipGlobalNorm,
  clipValue,
  type DecayOptions,
  decayWeights,
  scaleByRate,
} from './optim/chain.js';
export { type Groups, groups } from './optim/groups.js';
export { type LionOptions, lion } from './optim/lion.js';
export { type ScaleByAdamOptions, scaleByAdam } from './optim/moments.js';
export { averages, type OptimizeOptions, optimize, rates } from './optim/optimize.js';
export type { Optimizer } from './optim/optimizer.js';
export type { Rate } from './optim/rate.js';
export { type AdagradOptions, adagrad, type RmsPropOptions, rmsProp } from './optim/rms-prop.js';
export type { Rule } from './optim/rule.js';
export {
  type CosineOptions,
  type ExponentialOptions,
  type LinearOptions,
  type OneCycleOptions,
  type PiecewiseOptions,
  type Schedule,
  schedules,
} from './optim/schedules.js';
export { type SgdOptions, sgd } from './optim/sgd.js';
export type { Trainables } from './optim/trainables.js';
export type { DType, TypedArray } from './tensor/dtype.js';
export type { Booleans, Nested, NestedData, NumberArray } from './tensor/nested.js';
export type { JsonTensor, PlainTensor } from './tensor/plain.js';
export {
  type DTypeOf,
  type FilledOptions,
  Tensor,
  type TensorLike,
  type TensorOptions,
  tensor,
} from './tensor/tensor.js';
export type { BucketSizes } from './train/buckets.js';
export type { CarriedState } from './train/carried.js';
export {
  type Checkpoint,
  type CheckpointOptions,
  type Counted,
  checkpoint,
  type ResumeOptions,
  resume,
} from './train/checkpoint.js';
export type { Dataset, DatasetColumn, DatasetOf } from './train/dataset.js';
export {
  type BatchRecord,
  type EpochRecord,
  type FitOptions,
  type FitValidation,
  fit,
  type History,
  type Means,
  type ProgramMeans,
  type ValidationMeans,
} from './train/fit.js';
export { type PredictOptions, predict } from './train/predict.js';
export type { Progress } from './train/progress.js';
export type { CheckpointFrequency, FitCheckpoints } from './train/saver.js';
