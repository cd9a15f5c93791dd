import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/errors.js';
import { type ModelProto, model as modelFields } from '../../src/onnx/messages.js';
import { decode, encode, type Fields, many, one, packed } from '../../src/onnx/protobuf.js';
import { graphProto, infoProto, modelBytes, nodeProto, tensorProto } from './support.js';

const fields: Fields = {
  count: one(1, 'int64'),
  name: one(2, 'string'),
  below: many(3, () => fields),
  sizes: many(4, 'int64'),
  numbers: packed(5),
  factor: one(6, 'float'),
};

interface Message {
  count?: bigint;
  name?: string;
  below: Message[];
  sizes: bigint[];
  numbers: Uint8Array[];
  factor?: number;
}

const read = (bytes: number[] | Uint8Array) =>
  decode<Message>('f', 'a message', fields, Uint8Array.from(bytes));

describe('decode', () => {
  it('reads what encode writes', () => {
    const message = {
      count: -5n,
      name: 'é',
      below: [{ count: 2n ** 62n, below: [], sizes: [], numbers: [] }],
      sizes: [1n, 300n],
      numbers: [Uint8Array.of(1, 2, 3)],
      factor: 0.5,
    };
    expect(read(encode(fields, message))).toEqual({
      ...message,
      below: [{ ...message.below[0], name: undefined, factor: undefined }],
    });
  });

  it('reads repeated numbers that are packed and that are not, and skips unknown fields', () => {
    // Field 4 as one varint, and packed; field 9 is unknown.
    expect(read([0x20, 7, 0x22, 2, 1, 2, 0x4a, 1, 0xff]).sizes).toEqual([7n, 1n, 2n]);
    // A packed field whose numbers are not packed keeps the bytes of each.
    expect(read([0x28, 0x96, 0x01, 0x2a, 1, 3]).numbers).toEqual([
      Uint8Array.of(0x96, 0x01),
      Uint8Array.of(3),
    ]);
  });

  it('keeps the last of several values of a field that may occur once', () => {
    expect(read([0x08, 1, 0x08, 2]).count).toBe(2n);
  });

  it('names the file and the byte of what is wrong', () => {
    expect(() => read([0x12, 5, 0x61])).toThrow(/^f: at byte \d: this is not a message: /);
    expect(() => read([0x12, 5, 0x61])).toThrow(FormatError);
    expect(() => read([0x0a, 1, 0])).toThrow(/a int64 has wire type 2/); // text in place of a number
    expect(() => read([0x18, 1])).toThrow(/field 3 is not a message/);
    expect(() => read([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])).toThrow(FormatError);
    expect(() => read([0x00])).toThrow(FormatError);
  });

  it('refuses messages that are nested too deep', () => {
    let bytes: number[] = [];
    const nested = (depth: number) => {
      bytes = [];
      for (let i = 0; i < depth; i++) {
        const length = bytes.length;
        bytes = [
          0x1a,
          ...(length < 128 ? [length] : [(length & 127) | 128, length >> 7]),
          ...bytes,
        ];
      }
      return bytes;
    };
    expect(() => read(nested(100))).not.toThrow();
    expect(() => read(nested(101))).toThrow(/nested more than 100 deep/);
  });

  it('returns a message or throws a FormatError for any bytes', () => {
    const model = Array.from(
      modelBytes({
        node: [nodeProto('Relu', ['x'], ['y'])],
        input: [infoProto('x', ['n', 2])],
        output: [infoProto('y', [])],
        initializer: [tensorProto('w', [2], [1, 2])],
      }),
    );
    const decodeModel = (bytes: Uint8Array) => {
      try {
        decode<ModelProto>('f', 'a model', modelFields, bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), decodeModel), { numRuns: 2000 });
    // Damaged models.
    const damages = fc.array(fc.tuple(fc.nat(model.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(damages, fc.nat(model.length), (changes, length) => {
        const bytes = Uint8Array.from(model);
        for (const [at, byte] of changes) bytes[at] = byte;
        decodeModel(bytes.subarray(0, length));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('encode', () => {
  it('leaves out what is undefined', () => {
    expect(encode(fields, { below: [], sizes: [], numbers: [] })).toHaveLength(0);
    expect(graphProto({}).node).toEqual([]);
  });
});
