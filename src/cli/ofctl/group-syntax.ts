/** A group as ovs-ofctl(8), "Group Syntax", describes it. */

import { maskOfFields } from '../../ofproto/codec/selection-fields.ts';
import type { OfVersion } from '../../ofproto/codec/versions.ts';
import type {
  Bucket,
  GroupMod,
  GroupType,
  HashedField,
  SelectionMethod,
} from '../../ofproto/model.ts';
import { OFPG_ALL } from '../../ofproto/model.ts';
import { parseActions } from '../../ofproto/text/actions-syntax.ts';
import { fieldByAnyName } from '../../ofproto/text/field-names.ts';
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
const COMMAND_BUCKETS: Readonly<Record<string, number>> = {
  first: 0xffff_fffd,
  last: 0xffff_fffe,
  all: BUCKET_ALL,
};

/** Settings of a bucket stand in front of its actions; the first word that is none begins them. */
const SETTING = /^\s*(bucket_id|weight|watch_port|watch_group)\s*[:=]\s*([^,\s]*)[,\s]*/;

function bucketOf(text: string, index: number, type: GroupType, names: NameLookup): Bucket {
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
  const actions = rest.replace(/^\s*actions\s*=/, '');
  return { bucketId, weight, watchPort, watchGroup, actions: parseActions(actions, names) };
}

const hashedField = ({ key, value }: Word): HashedField => {
  const field = fieldByAnyName(key) ?? fault(`unknown field ${key}`);
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
  if (method !== '') return { method, param, fields: maskOfFields(named), named };
  if (param !== 0n) fault('selection_method_param is only allowed with "selection_method"');
  if (named.length > 0) fault('fields are only allowed with "selection_method=hash"');
  return null;
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
  for (const word of words(head)) setting(draft, word);
  const makes = command === 'add' || command === 'modify' || command === 'addOrModify';
  if (makes && draft.type === null && draft.groupId !== null) fault('must specify a type');
  const groupId = draft.groupId ?? fault('must specify a group_id');
  const type = draft.type ?? 'all';
  const buckets = bucketTexts.map((bucket, i) => bucketOf(bucket, i, type, names));
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
