/** The public losses. */

export { type BinaryCrossEntropyOptions, binaryCrossEntropyWithLogits } from './binary.js';
export { type CrossEntropyOptions, crossEntropy, softmaxCrossEntropy } from './cross-entropy.js';
export { type HuberOptions, huber, mae, mse, type ReductionOptions } from './differences.js';
export type { Reduction, Weights } from './shared.js';
export { type CosineSimilarityOptions, cosineSimilarity, klDivergence } from './similarity.js';
