// The tensors of a file: each element type in each of its forms, and forms that are refused.
import { describe, expect, it } from 'vitest';
import { FormatError, StateError, ValueError } from '../../src/index.js';
import { elementTypes, Known, Stored } from '../../src/onnx/elements.js';
import type { TensorProto } from '../../src/onnx/messages.js';
import { tensorProto } from './support.js';

type TypeName = keyof typeof elementTypes;

/** A tensor whose elements are in one of the lists of the format. */
function listed(type: TypeName, list: Partial<TensorProto>, dims: readonly bigint[]): Stored {
  const proto = { ...tensorProto('t', [], []), dims: [...dims], dataType: elementTypes[type].code };
  return new Stored('m.onnx', 't', { ...proto, rawData: undefined, ...list });
}

const made = (parts: Partial<TensorProto>) => () =>
  new Stored('m.onnx', 't', { ...tensorProto('t', [2], [1, 2]), ...parts });

describe('the lists of a tensor', () => {
  // The bytes of numbers of variable length, by hand: seven bits each, the lowest first.
  const minusOne = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
  it.each([
    ['int8', { int32Data: [Uint8Array.of(3, ...minusOne)] }, [3, -1]],
    ['uint8', { int32Data: [Uint8Array.of(3, 0xff, 1)] }, [3, 255]],
    ['int16', { int32Data: [Uint8Array.of(3, ...minusOne)] }, [3, -1]],
    ['uint16', { int32Data: [Uint8Array.of(3, 0xff, 0xff, 3)] }, [3, 65535]],
    ['int32', { int32Data: [Uint8Array.of(3), Uint8Array.from(minusOne)] }, [3, -1]],
    ['bool', { int32Data: [Uint8Array.of(0, 1)] }, [0, 1]],
    // The bits of 1.5 in 16 bits are 0x3e00 and 0x3fc0.
    ['float16', { int32Data: [Uint8Array.of(0x80, 0x7c, 0)] }, [1.5, 0]],
    ['bfloat16', { int32Data: [Uint8Array.of(0xc0, 0x7f, 0)] }, [1.5, 0]],
    ['int64', { int64Data: [Uint8Array.of(0x80, 1, ...minusOne)] }, [128, -1]],
    ['uint32', { uint64Data: [Uint8Array.of(3, 0x80, 1)] }, [3, 128]],
    ['uint64', { uint64Data: [Uint8Array.of(3, 0x80, 1)] }, [3, 128]],
    [
      'float',
      { floatData: [Uint8Array.of(0, 0, 0, 0x40), Uint8Array.of(0, 0, 0x80, 0xbf)] },
      [2, -1],
    ],
    ['double', { doubleData: [Uint8Array.of(...new Array(14).fill(0), 0xf0, 0xbf)] }, [0, -1]],
  ] satisfies readonly (readonly [TypeName, Partial<TensorProto>, number[]])[])(
    'of %s',
    (type, list, wanted) => {
      const stored = listed(type, list, [2n]);
      expect([...stored.tensor(elementTypes[type].dtype).data]).toEqual(wanted);
      expect(stored.numbers()).toEqual(wanted);
    },
  );

  it('of another length are refused', () => {
    expect(() => listed('int32', { int32Data: [Uint8Array.of(3)] }, [2n])).toThrow(
      /^m\.onnx: tensor "t": int32 \[2\] takes 8 bytes, but the file has 4$/,
    );
  });
});

describe('a tensor', () => {
  it.each([
    ['of texts', { dataType: 8 }, /its elements are string, which forebay does not have/],
    ['of an unknown type', { dataType: 99 }, /its elements are type 99/],
    ['that is a segment', { segment: {} }, /it is a segment of a tensor/],
    ['that is too large', { dims: [2n ** 30n, 2n ** 30n] }, /is larger than any memory/],
    ['of a negative dimension', { dims: [-1n] }, /found \[-1\]/],
    ['of 33 dimensions', { dims: new Array<bigint>(33).fill(1n) }, /at most 32 dimensions/],
    ['in another file, without one', { dataLocation: 1 }, /its elements are in another file/],
  ] satisfies readonly (readonly [string, Partial<TensorProto>, RegExp])[])(
    '%s is refused',
    (_, parts, reason) => {
      expect(made(parts)).toThrow(FormatError);
      expect(made(parts)).toThrow(reason);
    },
  );

  it('with integers that do not fit the dtype is refused', () => {
    const stored = new Stored('m.onnx', 't', tensorProto('t', [1], [2 ** 40], 'int64'));
    expect(stored.numbers()).toEqual([2 ** 40]);
    expect(() => stored.tensor('int32')).toThrow(/1099511627776.*with which graphs compute$/);
  });

  it('keeps small elements when the file is freed, and no others', () => {
    const small = new Stored('m.onnx', 's', tensorProto('s', [2], [1, 2]));
    const large = new Stored('m.onnx', 'l', tensorProto('l', [10_000], new Array(10_000).fill(1)));
    for (const stored of [small, large]) stored.release();
    expect([...small.tensor('float32').data]).toEqual([1, 2]);
    expect(() => large.tensor('float32')).toThrow(StateError);
    expect(() => large.isUniform()).toThrow(/l.*import the model with other inputs/);
    large.release();
  });

  it('whose bytes were transferred away is refused', () => {
    const proto = tensorProto('t', [2], [1, 2]);
    const stored = new Stored('m.onnx', 't', proto);
    structuredClone(proto.rawData?.buffer, { transfer: [proto.rawData?.buffer as ArrayBuffer] });
    expect(() => stored.numbers()).toThrow(ValueError);
    expect(() => stored.numbers()).toThrow(/have been transferred away/);
  });
});

it('known elements become a tensor only of a dtype that holds them', () => {
  expect([...(new Known(elementTypes.int64, [2], [3, 4]).tensor('int32')?.data ?? [])]).toEqual([
    3, 4,
  ]);
  expect(new Known(elementTypes.int64, [1], [2 ** 40]).tensor('int32')).toBeUndefined();
  expect(new Known(elementTypes.int64, [1], ['n']).tensor('int32')).toBeUndefined();
});
