/** The public API of `forebay/tfjs`: models of TensorFlow.js. */

export type { TensorInfo } from '../imports/inputs.js';
export type { TfjsArtifacts, TfjsSource, WeightBytes } from './artifacts.js';
export { type ImportTfjsOptions, importTfjs } from './import.js';
export type { TfjsModule } from './imported.js';
