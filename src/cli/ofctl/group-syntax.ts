/** A group as ovs-ofctl(8), "Group Syntax", describes it. */

import { maskOfFields } from '../../ofproto/codec/selection-fields.ts';
import { OF10, OF15, type OfVersion } from '../../ofproto/codec/versions.ts';
import type {
  Bucket,
  GroupMod,
  GroupType,
  HashedField,
  SelectionMethod,
} from '../../ofproto/model.ts';
import { OFPG_ALL } from '../../ofproto/model.ts';
import { parseListOfActions } from '../../ofproto/text/actions-syntax.ts';
import { fieldByAnyName } from '../../ofproto/text/field-names.ts';
import { ANY_FORMAT, formatsOf, formatsOfActions } from '../../ofproto/text/flow-protocols.ts';
import { parseValue } from '../../ofproto/text/match-syntax.ts';
import {
  bigNumber,
  fault,
  knownPort,
  type NameLookup,
  type Parsed,
  parsed,
  smallNumber,
  type Word,
  words,
} from '../../ofproto/text/syntax.ts';
import { fullMask } from '../../packet/fields.ts';

const TYPES: Readonly<Record<string, GroupType>> = {
  all: 'all',
  select: 'select',
  indirect: 'indirect',
  ff: 'fastFailover',
  fast_failover: 'fastFailover',
};

const BUCKET_ALL = 0xffff_ffff;
const LAST_BUCKET = 0xffff_ff00;
const LAST_GROUP = 0xffff_ff00;
const OF10_AND_15 = formatsOf(OF10) | formatsOf(OF15);
const LONGEST_METHOD = 15;
const COMMAND_BUCKETS: Readonly<Record<string, number>> = {
  first: 0xffff_fffd,
  last: 0xffff_fffe,
  all: BUCKET_ALL,
};

/** Settings of a bucket stand in front of its actions; the first word that is none begins them. */
const SETTING = /^\s*(bucket_id|weight|watch_port|watch_group)\s*[:=]\s*([^,\s]*)[,\s]*/;

function bucketOf(text: string, index: number, type: GroupType | null, names: NameLookup): Bucket {
  let rest = text;
  let bucketId = index;
  let weight = type === 'select' ? 1 : 0;
  let watchPort: Bucket['watchPort'] = null;
  let watchGroup: Bucket['watchGroup'] = null;
  for (let found = SETTING.exec(rest); found !== null; found = SETTING.exec(rest)) {
    const [all, key, value] = found;
    rest = rest.slice(all.length);
    if (key === 'weight') weight = smallNumber(value, key);
    else if (key === 'bucket_id') bucketId = smallNumber(value, key, 32);
    else if (key === 'watch_port') watchPort = knownPort(value, names);
    else watchGroup = smallNumber(value, key, 32);
  }
  if (bucketId > LAST_BUCKET) fault(`invalid bucket_id id ${bucketId}`);
  if (type !== null && type !== 'select' && weight !== 0)
    fault('Only select groups can have bucket weights.');
  if (type === 'fastFailover' && watchPort === null && watchGroup === null) {
    fault('fast failover bucket requires watch_port or watch_group');
  }
  const actions = rest.replace(/^\s*actions\s*=/, '');
  if (rest.trim() === '') fault('bucket must specify actions');
  return { bucketId, weight, watchPort, watchGroup, actions: parseListOfActions(actions, names) };
}

const hashedField = ({ key, value }: Word): HashedField => {
  const field = fieldByAnyName(key) ?? fault(`: unknown field ${key}`);
  return { field, mask: value === null ? fullMask(field) : parseValue(field, value).value };
};

interface Draft {
  type: GroupType | null;
  groupId: number | null;
  commandBucketId: number;
  method: SelectionMethod['method'];
  param: bigint;
  named: readonly HashedField[];
}

function setting(draft: Draft, { key, value }: Word): void {
  const text = value ?? '';
  switch (key) {
    case 'group_id':
      draft.groupId = text === 'all' ? OFPG_ALL : smallNumber(text, key, 32);
      break;
    case 'type':
      draft.type = TYPES[text] ?? fault(`invalid group type ${text}`);
      break;
    case 'command_bucket_id':
      draft.commandBucketId = COMMAND_BUCKETS[text] ?? smallNumber(text, key, 32);
      break;
    case 'selection_method':
      if (text.length > LONGEST_METHOD) {
        fault(`selection method is longer than ${LONGEST_METHOD} bytes long`);
      }
      if (text !== 'hash' && text !== 'dp_hash') fault(`invalid selection method ${text}`);
      draft.method = text;
      break;
    case 'selection_method_param':
      draft.param = bigNumber(text, key);
      break;
    case 'fields':
      draft.named = words(text).map(hashedField);
      break;
    default:
      fault(`unknown keyword ${key}`);
  }
}

function selectionOf({ method, param, named }: Draft): SelectionMethod | null {
  if (named.length > 0 && method !== 'hash') {
    fault('fields may only be specified with "selection_method=hash"');
  }
  if (method !== '') return { method, param, fields: maskOfFields(named), named };
  if (param !== 0n) fault('selection_method_param is only allowed with "selection_method"');
  return null;
}

const OF_BUCKETS: ReadonlySet<GroupMod['command']> = new Set(['insertBucket', 'removeBucket']);

/** Buckets alone are changed in 1.5, and in 1.0 by Nicira's extension; for the rest the actions count. */
export function usableForGroup({ command, buckets }: GroupMod): number {
  const formats = OF_BUCKETS.has(command) ? OF10_AND_15 : ANY_FORMAT;
  return buckets.reduce((bits, { actions }) => bits & formatsOfActions(actions), formats);
}

function readGroup(
  text: string,
  command: GroupMod['command'],
  version: OfVersion,
  names: NameLookup,
): GroupMod {
  const [head, ...bucketTexts] = text.split(/(?:^|[,\s]+)buckets?\s*=/);
  const draft: Draft = {
    type: null,
    groupId: command === 'delete' ? OFPG_ALL : null,
    commandBucketId: BUCKET_ALL,
    method: '',
    param: 0n,
    named: [],
  };
  const makes = command === 'add' || command === 'modify' || command === 'addOrModify';
  for (const word of words(head)) {
    if (!makes && word.key === 'type') fault('type is not needed');
    if (word.key === 'command_bucket_id' && !OF_BUCKETS.has(command)) {
      fault('command bucket id is not needed');
    }
    setting(draft, word);
  }
  if (makes && draft.type === null && draft.groupId !== null) fault('must specify a type');
  const groupId = draft.groupId ?? fault('must specify a group_id');
  if (groupId > LAST_GROUP && !(groupId === OFPG_ALL && command === 'delete')) {
    fault(`invalid group id ${groupId}`);
  }
  if (OF_BUCKETS.has(command)) {
    if (command === 'insertBucket' && !head.includes('command_bucket_id')) {
      fault('must specify a command bucket id');
    }
    if (command === 'insertBucket' && draft.commandBucketId === BUCKET_ALL) {
      fault('command_bucket_id=all is not permitted');
    }
  }
  const type = draft.type ?? 'all';
  if (type === 'indirect' && bucketTexts.length > 1) {
    fault('Indirect groups can have at most one bucket.');
  }
  const buckets = bucketTexts.map((bucket, i) => bucketOf(bucket, i, draft.type, names));
  const selection = selectionOf(draft);
  const { commandBucketId } = draft;
  return { command, type, groupId, buckets, commandBucketId, selection, version };
}

/** The group, or what is wrong with the text. */
export const parseGroup = (
  text: string,
  command: GroupMod['command'],
  version: OfVersion,
  names: NameLookup,
): Parsed<GroupMod> => parsed(() => readGroup(text, command, version, names));
