/**
 * The Internet checksum's sum (RFC 1071) by vector instructions: a WebAssembly function of 60 instructions over the memory that
 * frames lie in. A loop in JavaScript adds 4 bytes in 2 to 4 cycles; this one adds 16. Summing is most of what cutting and joining
 * super-frames costs (doc/adr/0013).
 *
 * The module is written out below, an instruction a line (WebAssembly core specification 2.0, chapter 5), so that nothing
 * has to compile it: locals are the function's `at` and `length`, `end` of the part that goes by 32 bytes, two accumulators of
 * two 64-bit lanes, a vector, and the 64-bit sum. Words count as little-endian, whatever the machine: the sum of swapped
 * bytes is the swapped sum (RFC 1071, 2.B).
 */

/** Sum of `length` bytes from `at` on as 16-bit big-endian words, zero-padded, folded to 16 bits. */
export type RegionSum = (at: number, length: number) => number;

const I32 = 0x7f;
const I64 = 0x7e;
const V128 = 0x7b;

/** LEB128, unsigned: for lengths and indexes. */
const unsigned = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
/** LEB128, signed: for constants. */
const signed = (value: number): number[] =>
  value >= -64 && value < 64 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const i32 = (value: number): number[] => [0x41, ...signed(value)];
const i64 = (value: number): number[] => [0x42, ...signed(value)];
const vector = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
const I32_ADD = 0x6a;
const I32_SUB = 0x6b;
const I32_AND = 0x71;
const I32_OR = 0x72;
const I32_SHL = 0x74;
const I32_SHR_U = 0x76;
const I32_GE_U = 0x4f;
const I32_LT_U = 0x49;
const I64_ADD = 0x7c;
const I64_AND = 0x83;
const I64_SHR_U = 0x88;
const I32_WRAP_I64 = 0xa7;
/** i64.load8_u, load16_u and load32_u, not aligned, offset 0. */
const I64_LOAD_BYTE = [0x31, 0, 0];
const I64_LOAD_HALF = [0x33, 0, 0];
const I64_LOAD_WORD = [0x35, 0, 0];
const v128Load = (offset: number): number[] => [...vector(0x00), 0, offset];
/** The two low, or high, 32-bit lanes as 64-bit lanes. */
const I64X2_EXTEND_LOW_U = vector(0xc9);
const I64X2_EXTEND_HIGH_U = vector(0xca);
const I64X2_ADD = vector(0xce);
const i64x2Extract = (lane: number): number[] => [...vector(0x1d), lane];
/** A loop in a block; BREAK_IF takes a condition and leaves both, AGAIN goes on. */
const LOOP = [0x02, 0x40, 0x03, 0x40];
const BREAK_IF = [0x0d, 1];
const AGAIN = [0x0c, 0];
const END_LOOP = [0x0b, 0x0b];
const IF = [0x04, 0x40];
const END = 0x0b;

const AT = 0;
const LENGTH = 1;
const END_OF_32 = 2;
const FIRST = 3;
const SECOND = 4;
const VECTOR = 5;
const SUM = 6;

const accumulate = (accumulator: number, offset: number): number[] => [
  ...[...get(AT), ...v128Load(offset), ...set(VECTOR)],
  ...[...get(accumulator), ...get(VECTOR), ...I64X2_EXTEND_LOW_U, ...I64X2_ADD],
  ...[...get(VECTOR), ...I64X2_EXTEND_HIGH_U, ...I64X2_ADD, ...set(accumulator)],
];
const addToSum = (load: readonly number[]): number[] => [
  ...[...get(SUM), ...get(AT), ...load, I64_ADD, ...set(SUM)],
];
const advance = (bytes: number): number[] => [...get(AT), ...i32(bytes), I32_ADD, ...set(AT)];
/** The 16 bits of SUM from `shift` on. */
const part = (shift: number): number[] => [
  ...[...get(SUM), ...i64(shift), I64_SHR_U, ...i64(0xffff), I64_AND],
];
/** Adds what is above 16 bits of an i32 in LENGTH to the rest. */
const FOLD = [
  ...[...get(LENGTH), ...i32(0xffff), I32_AND],
  ...[...get(LENGTH), ...i32(16), I32_SHR_U, I32_ADD, ...set(LENGTH)],
];

const BODY = [
  ...[...get(AT), ...get(LENGTH), ...i32(-32), I32_AND, I32_ADD, ...set(END_OF_32)],
  ...LOOP,
  ...[...get(AT), ...get(END_OF_32), I32_GE_U, ...BREAK_IF],
  ...accumulate(FIRST, 0),
  ...accumulate(SECOND, 16),
  ...advance(32),
  ...AGAIN,
  ...END_LOOP,
  ...[...get(FIRST), ...get(SECOND), ...I64X2_ADD, ...set(FIRST)],
  ...[...get(FIRST), ...i64x2Extract(0), ...get(FIRST), ...i64x2Extract(1), I64_ADD, ...set(SUM)],
  // Up to 31 bytes are left.
  ...[...get(LENGTH), ...i32(31), I32_AND, ...set(LENGTH)],
  ...LOOP,
  ...[...get(LENGTH), ...i32(4), I32_LT_U, ...BREAK_IF],
  ...addToSum(I64_LOAD_WORD),
  ...advance(4),
  ...[...get(LENGTH), ...i32(4), I32_SUB, ...set(LENGTH)],
  ...AGAIN,
  ...END_LOOP,
  ...[...get(LENGTH), ...i32(2), I32_AND, ...IF],
  ...addToSum(I64_LOAD_HALF),
  ...advance(2),
  END,
  ...[...get(LENGTH), ...i32(1), I32_AND, ...IF],
  ...addToSum(I64_LOAD_BYTE),
  END,
  ...[...part(0), ...part(16), I64_ADD, ...part(32), I64_ADD, ...part(48), I64_ADD],
  ...[I32_WRAP_I64, ...set(LENGTH)],
  ...FOLD,
  ...FOLD,
  // The bytes change places.
  ...[...get(LENGTH), ...i32(0xff), I32_AND, ...i32(8), I32_SHL],
  ...[...get(LENGTH), ...i32(8), I32_SHR_U, I32_OR],
  END,
];

const section = (id: number, bytes: readonly number[]): number[] => [
  ...[id, ...unsigned(bytes.length), ...bytes],
];
const LETTER_M = [1, 0x6d];
const LETTER_S = [1, 0x73];
const LOCALS = [3, 1, I32, 3, V128, 1, I64];
const FUNCTION = [...LOCALS, ...BODY];

const MODULE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  // One type: two i32 to one i32.
  ...section(1, [1, 0x60, 2, I32, I32, 1, I32]),
  // One import, m.m: a memory of a page or more with a maximum of 4 GiB.
  ...section(2, [1, ...LETTER_M, ...LETTER_M, 2, 0, 1]),
  ...section(3, [1, 0]),
  // One export, s: function 0.
  ...section(7, [1, ...LETTER_S, 0, 0]),
  ...section(10, [1, ...unsigned(FUNCTION.length), ...FUNCTION]),
]);

/** The sum over a memory. Throws where there is no WebAssembly or none with vectors. */
export function vectorSum(memory: WebAssembly.Memory): RegionSum {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(MODULE), {
    m: { m: memory },
  });
  return exports.s as RegionSum;
}
