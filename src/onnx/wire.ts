/**
 * The wire format of Protocol Buffers. The library @bufbuild/protobuf reads and writes it: it is maintained by the makers
 * of the tools of the format, passes their conformance tests, and depends on nothing. The build puts it into dist/onnx,
 * so that packages that use forebay do not install it.
 */

export { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
