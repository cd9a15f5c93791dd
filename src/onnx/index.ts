/** The public API of `forebay/onnx`: models of ONNX files. */

export { type ExportOnnxOptions, exportOnnx } from './export.js';
export { type ImportOnnxOptions, importOnnx } from './import.js';
export type { OnnxModule, TensorInfo } from './imported.js';
