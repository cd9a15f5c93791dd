/** The public API of `forebay/onnx`: models of ONNX files. */

export type { TensorInfo } from '../imports/inputs.js';
export { type ExportOnnxOptions, exportOnnx } from './export.js';
export { type ImportOnnxOptions, importOnnx } from './import.js';
export type { OnnxModule } from './imported.js';
