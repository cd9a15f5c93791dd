// Tests the rules that separate leaks of forebay from leaks of other code. The reports have the form that LeakSanitizer
// writes.
import { describe, expect, it } from 'vitest';

interface Reports {
  reportsIn(texts: readonly string[]): string[];
  isOurs(report: string): boolean;
  unanswered(texts: readonly string[]): number;
}
const reports = new URL('../../tools/sanitize/reports.mjs', import.meta.url).href;
const { reportsIn, isOurs, unanswered }: Reports = await import(reports);

const leak = (...frames: string[]) =>
  [
    'Direct leak of 77 byte(s) in 1 object(s) allocated from:',
    '    #0 0x7f6e58eb94c8 in operator new(unsigned long) ../../../../src/libsanitizer/asan/asan_new_delete.cpp:95',
    ...frames.map((frame, index) => `    #${index + 1} 0x7fb00dcb9628 in ${frame}`),
  ].join('\n');
const report = (...leaks: string[]) => `
=================================================================
==node==13592==ERROR: LeakSanitizer: detected memory leaks

${leaks.join('\n\n')}

SUMMARY: AddressSanitizer: 77 byte(s) leaked in 1 allocation(s).
`;

const called =
  'v8::internal::FunctionCallbackArguments::Call(v8::internal::CallHandlerInfo) (/usr/bin/node+0xf50bde)';
const describe_ =
  'forebay::describe(napi_env__*, napi_callback_info__*) /home/native/binding/describe.cc:117';
const ofOurs = leak(describe_, called);
const ofNodeForUs = leak('napi_create_reference (/usr/bin/node+0xc4a113)', describe_, called);
const ofHeap = leak(
  'v8::internal::MemoryAllocator::AllocatePage(int) (/usr/bin/node+0x117c403)',
  'napi_create_object (/usr/bin/node+0xc4a113)',
  describe_,
  called,
);
const ofNode = leak(
  'node::Environment::InitializeLibuv() (/usr/bin/node+0xbbac1a)',
  'main (/home/forebay/bin/node+0x1)',
);

describe('a report of leaks', () => {
  it.each([
    ['a block that we allocated', report(ofNode, ofOurs)],
    ['a block in the addon whose function has no name', report(leak('(/x/forebay.node+0x1)'))],
    ['a block that Node-API allocated for us', report(ofHeap, ofNodeForUs)],
  ])('is about forebay for %s', (_what, text) => {
    expect(reportsIn([text])).toHaveLength(1);
    expect(reportsIn([text]).every(isOurs)).toBe(true);
  });

  it.each([
    ["V8's heap, which grew while we created an object", report(ofHeap)],
    ["Node's own block, in a folder named forebay", report(ofNode)],
  ])('is not about forebay for %s', (_what, text) => {
    expect(reportsIn([text])).toHaveLength(1);
    expect(reportsIn([text]).some(isOurs)).toBe(false);
  });
});

describe('any other report', () => {
  it.each([
    '==node==11984==ERROR: AddressSanitizer: heap-use-after-free on address 0x1\n    #0 0x1 in memcpy',
    'WARNING: ThreadSanitizer: data race (pid=1)',
    'native/kernels/gemm.h:3:4: runtime error: signed integer overflow',
  ])('is about forebay: %s', (text) => {
    const found = reportsIn([`=================\n${text}\n`, 'nothing']);
    expect(found).toHaveLength(1);
    expect(found.every(isOurs)).toBe(true);
  });

  it('does not exist if LeakSanitizer stopped early, which is counted', () => {
    const text = '==1==LeakSanitizer has encountered a fatal error.\n';
    expect([reportsIn([text]), unanswered([text, 'nothing'])]).toEqual([[], 1]);
  });
});
