/** The public API of `forebay/onnx`: models of ONNX files. */

export { type ImportOnnxOptions, importOnnx } from './import.js';
export type { OnnxModule, TensorInfo } from './imported.js';
