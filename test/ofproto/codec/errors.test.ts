import { describe, expect, test } from 'vitest';
import { ERROR_NAMES, errorName, errorNumbers } from '../../../src/ofproto/codec/errors.ts';
import {
  OF_VERSIONS,
  OF10,
  OF11,
  OF12,
  OF13,
  OF14,
  versionByName,
  versionName,
} from '../../../src/ofproto/codec/versions.ts';

const NX = 0x2320;
const ONF = 0x4f4e4600;

describe('OpenFlow errors', () => {
  test('have the numbers of each version', () => {
    expect(errorNumbers('OFPBRC_BAD_LEN', OF10)).toEqual({ type: 1, code: 6 });
    expect(errorNumbers('OFPFMFC_OVERLAP', OF10)).toEqual({ type: 3, code: 1 });
    expect(errorNumbers('OFPFMFC_OVERLAP', OF13)).toEqual({ type: 5, code: 3 });
    expect(errorNumbers('OFPBMC_BAD_PREREQ', OF13)).toEqual({ type: 4, code: 9 });
    expect(errorNumbers('OFPBMC_BAD_PREREQ', OF11)).toEqual({
      type: 1,
      code: 260,
      experimenter: NX,
    });
    expect(errorNumbers('OFPBIC_DUP_INST', OF13)).toEqual({
      type: 2600,
      code: 0,
      experimenter: ONF,
    });
    expect(errorNumbers('OFPBIC_DUP_INST', OF14)).toEqual({ type: 3, code: 9 });
    expect(errorNumbers('NXBRC_NXM_INVALID', OF12)).toEqual({ type: 2, code: 0, experimenter: NX });
  });

  test('that a version has no number for become the unencodable one', () => {
    expect(errorNumbers('OFPMMFC_UNKNOWN_METER', OF10)).toEqual({
      type: 1,
      code: 521,
      experimenter: NX,
    });
  });

  test('are found by their numbers', () => {
    for (const version of OF_VERSIONS) {
      for (const name of ERROR_NAMES) {
        const numbers = errorNumbers(name, version);
        const found = errorName(numbers, version);
        expect(found && errorNumbers(found, version), `${name} ${version}`).toEqual(numbers);
      }
    }
    expect(errorName({ type: 99, code: 99 }, OF13)).toBeUndefined();
    // One number, two names: the older counts.
    expect(errorName({ type: 3, code: 5 }, OF11)).toBe('OFPBIC_BAD_EXPERIMENTER');
  });
});

test('versions have names', () => {
  expect(OF_VERSIONS.map(versionName)).toEqual([10, 11, 12, 13, 14, 15].map((n) => `OpenFlow${n}`));
  expect(versionByName('OpenFlow14')).toBe(OF14);
  expect(versionByName('OpenFlow16')).toBeUndefined();
});
