/** Names of messages by their headers alone, so that a message that was cut off, or cannot be read, has one. */
const COMMON =
  'HELLO ERROR ECHO_REQUEST ECHO_REPLY VENDOR FEATURES_REQUEST FEATURES_REPLY GET_CONFIG_REQUEST GET_CONFIG_REPLY SET_CONFIG PACKET_IN FLOW_REMOVED PORT_STATUS PACKET_OUT FLOW_MOD'.split(
    ' ',
  );
const TYPES_10 = [
  ...COMMON,
  ...'PORT_MOD STATS_REQUEST STATS_REPLY BARRIER_REQUEST BARRIER_REPLY QUEUE_GET_CONFIG_REQUEST QUEUE_GET_CONFIG_REPLY'.split(
    ' ',
  ),
];
const TYPES_11 = [
  ...COMMON,
  ...'GROUP_MOD PORT_MOD TABLE_MOD STATS_REQUEST STATS_REPLY BARRIER_REQUEST BARRIER_REPLY QUEUE_GET_CONFIG_REQUEST QUEUE_GET_CONFIG_REPLY ROLE_REQUEST ROLE_REPLY GET_ASYNC_REQUEST GET_ASYNC_REPLY SET_ASYNC METER_MOD ROLE_STATUS TABLE_STATUS REQUESTFORWARD BUNDLE_CONTROL BUNDLE_ADD_MESSAGE'.split(
    ' ',
  ),
];

const MULTIPARTS =
  'DESC FLOW AGGREGATE TABLE PORT QUEUE GROUP GROUP_DESC GROUP_FEATURES METER METER_CONFIG METER_FEATURES TABLE_FEATURES PORT_DESC TABLE_DESC QUEUE_DESC FLOW_MONITOR'.split(
    ' ',
  );
/** In 1.0 to 1.2 the numbers from 6 on are the same for what these versions have. */
const NICIRA_MULTIPARTS: Readonly<Record<number, string>> = {
  0: 'FLOW',
  1: 'AGGREGATE',
  2: 'FLOW_MONITOR',
  3: 'IPFIX_BRIDGE',
  4: 'IPFIX_FLOW',
  7: 'GROUP',
  8: 'GROUP_DESC',
  9: 'GROUP_FEATURES',
};

const NICIRA: Readonly<Record<number, string>> = {
  10: 'ROLE_REQUEST',
  11: 'ROLE_REPLY',
  12: 'SET_FLOW_FORMAT',
  13: 'FLOW_MOD',
  14: 'FLOW_REMOVED',
  15: 'FLOW_MOD_TABLE_ID',
  16: 'SET_PACKET_IN_FORMAT',
  17: 'PACKET_IN',
  18: 'FLOW_AGE',
  19: 'SET_ASYNC_CONFIG',
  20: 'SET_CONTROLLER_ID',
  21: 'FLOW_MONITOR_CANCEL',
  22: 'FLOW_MONITOR_PAUSED',
  23: 'FLOW_MONITOR_RESUMED',
  24: 'TLV_TABLE_MOD',
  25: 'TLV_TABLE_REQUEST',
  26: 'TLV_TABLE_REPLY',
  27: 'SET_ASYNC_CONFIG2',
  28: 'RESUME',
  29: 'CT_FLUSH_ZONE',
  30: 'PACKET_IN2',
  31: 'GROUP_MOD',
  32: 'CT_FLUSH',
};
const ONF: Readonly<Record<number, string>> = {
  1911: 'ROLE_STATUS',
  2300: 'BUNDLE_CONTROL',
  2301: 'BUNDLE_ADD_MESSAGE',
  2350: 'REQUESTFORWARD',
};

const EXPERIMENTER = 4;
const ONF_ID = 0x4f4e4600;
const EXPERIMENTER_MULTIPART = 0xffff;

function multipartName(view: DataView, suffix: string): string {
  if (view.byteLength < 10) return `OFPST ${suffix}`;
  const number = view.getUint16(8);
  if (number !== EXPERIMENTER_MULTIPART) {
    return `OFPST_${MULTIPARTS[number] ?? number} ${suffix}`;
  }
  const at = view.getUint8(0) === 1 ? 12 : 16;
  if (view.byteLength < at + 8) return `NXST ${suffix}`;
  const subtype = view.getUint32(at + 4);
  if (view.getUint32(at) === ONF_ID) return `ONFST_FLOW_MONITOR ${suffix}`;
  return `NXST_${NICIRA_MULTIPARTS[subtype] ?? subtype} ${suffix}`;
}

/** `OFPT_FLOW_MOD`, `NXST_FLOW reply`. */
export function messageName(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [version, type] = bytes;
  const request = version === 1 ? 16 : 18;
  if (type === request) return multipartName(view, 'request');
  if (type === request + 1) return multipartName(view, 'reply');
  if (type === EXPERIMENTER && bytes.length >= 16) {
    const subtype = view.getUint32(12);
    if (view.getUint32(8) === ONF_ID) return `ONFT_${ONF[subtype] ?? subtype}`;
    return `NXT_${NICIRA[subtype] ?? subtype}`;
  }
  return `OFPT_${(version === 1 ? TYPES_10 : TYPES_11)[type] ?? type}`;
}
