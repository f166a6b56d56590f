/**
 * The Open_vSwitch schema, version 8.3.1: what Open vSwitch 3.1 serves, so that its tools and this server take one another's files.
 *
 * The facts are those that an ovsdb-server tells (get_schema) and ovs-vswitchd.conf.db(5) explains; how they are written down
 * here is our own. A test compares both (test/ovsdb/server/schema.test.ts); doc/adr/0012 says why they must be equal.
 */
import type { Json, JsonObject } from '../json-stream.ts';

const UINT32_MAX = 4_294_967_295;

const between = (min: number, max: number): JsonObject => ({
  type: 'integer',
  minInteger: min,
  maxInteger: max,
});
const atLeast = (min: number): JsonObject => ({ type: 'integer', minInteger: min });
const oneOf = (...values: string[]): JsonObject => ({ type: 'string', enum: ['set', values] });
const ref = (refTable: string): JsonObject => ({ type: 'uuid', refTable });
const weak = (refTable: string): JsonObject => ({ type: 'uuid', refTable, refType: 'weak' });

const one = (key: Json): JsonObject => ({ type: { key } });
const optional = (key: Json): JsonObject => ({ type: { key, min: 0, max: 1 } });
const set = (key: Json, max: number | 'unlimited' = 'unlimited'): JsonObject => ({
  type: { key, min: 0, max },
});
const some = (key: Json): JsonObject => ({ type: { key, min: 1, max: 'unlimited' } });
const map = (key: Json, value: Json): JsonObject => ({
  type: { key, value, min: 0, max: 'unlimited' },
});
const ephemeral = (column: JsonObject): JsonObject => ({ ...column, ephemeral: true });
const immutable = (column: JsonObject): JsonObject => ({ ...column, mutable: false });

const string = one('string');
const integer = one('integer');
const boolean = one('boolean');
const strings = map('string', 'string');
const counters = map('string', 'integer');
const vlan = between(0, 4095);
const uint32 = between(0, UINT32_MAX);
const vlans = set(vlan, 4096);

/** What a connection to a controller or a manager has alike. */
const connection = {
  target: string,
  max_backoff: optional(atLeast(1000)),
  inactivity_probe: optional('integer'),
  connection_mode: optional(oneOf('in-band', 'out-of-band')),
  other_config: strings,
  external_ids: strings,
  is_connected: ephemeral(boolean),
  status: ephemeral(strings),
};

export const VSWITCH_SCHEMA: JsonObject = {
  name: 'Open_vSwitch',
  version: '8.3.1',
  cksum: '3012963480 26720',
  tables: {
    Open_vSwitch: {
      isRoot: true,
      maxRows: 1,
      columns: {
        datapaths: map('string', ref('Datapath')),
        bridges: set(ref('Bridge')),
        manager_options: set(ref('Manager')),
        ssl: optional(ref('SSL')),
        other_config: strings,
        external_ids: strings,
        next_cfg: integer,
        cur_cfg: integer,
        statistics: ephemeral(strings),
        ovs_version: optional('string'),
        db_version: optional('string'),
        system_type: optional('string'),
        system_version: optional('string'),
        datapath_types: set('string'),
        iface_types: set('string'),
        dpdk_initialized: boolean,
        dpdk_version: optional('string'),
      },
    },
    Bridge: {
      indexes: [['name']],
      columns: {
        name: immutable(string),
        datapath_type: string,
        datapath_version: string,
        datapath_id: ephemeral(optional('string')),
        stp_enable: boolean,
        rstp_enable: boolean,
        mcast_snooping_enable: boolean,
        ports: set(ref('Port')),
        mirrors: set(ref('Mirror')),
        netflow: optional(ref('NetFlow')),
        sflow: optional(ref('sFlow')),
        ipfix: optional(ref('IPFIX')),
        controller: set(ref('Controller')),
        protocols: set(
          oneOf('OpenFlow10', 'OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'),
        ),
        fail_mode: optional(oneOf('standalone', 'secure')),
        status: ephemeral(strings),
        rstp_status: ephemeral(strings),
        other_config: strings,
        external_ids: strings,
        flood_vlans: vlans,
        flow_tables: map(between(0, 254), ref('Flow_Table')),
        auto_attach: optional(ref('AutoAttach')),
      },
    },
    Port: {
      indexes: [['name']],
      columns: {
        name: immutable(string),
        interfaces: some(ref('Interface')),
        trunks: vlans,
        cvlans: vlans,
        tag: optional(vlan),
        vlan_mode: optional(
          oneOf('trunk', 'access', 'native-tagged', 'native-untagged', 'dot1q-tunnel'),
        ),
        qos: optional(ref('QoS')),
        mac: optional('string'),
        bond_mode: optional(oneOf('balance-tcp', 'balance-slb', 'active-backup')),
        lacp: optional(oneOf('active', 'passive', 'off')),
        bond_updelay: integer,
        bond_downdelay: integer,
        bond_active_slave: optional('string'),
        bond_fake_iface: boolean,
        fake_bridge: boolean,
        status: ephemeral(strings),
        rstp_status: ephemeral(strings),
        rstp_statistics: ephemeral(counters),
        statistics: ephemeral(counters),
        protected: boolean,
        other_config: strings,
        external_ids: strings,
      },
    },
    Interface: {
      indexes: [['name']],
      columns: {
        name: immutable(string),
        type: string,
        options: strings,
        ingress_policing_rate: one(atLeast(0)),
        ingress_policing_burst: one(atLeast(0)),
        ingress_policing_kpkts_rate: one(atLeast(0)),
        ingress_policing_kpkts_burst: one(atLeast(0)),
        mac_in_use: ephemeral(optional('string')),
        mac: optional('string'),
        ifindex: ephemeral(optional(uint32)),
        external_ids: strings,
        ofport: optional('integer'),
        ofport_request: optional(between(1, 65_279)),
        bfd: strings,
        bfd_status: ephemeral(strings),
        cfm_mpid: optional('integer'),
        cfm_remote_mpids: ephemeral(set('integer')),
        cfm_flap_count: optional('integer'),
        cfm_fault: ephemeral(optional('boolean')),
        cfm_fault_status: ephemeral(set('string')),
        cfm_remote_opstate: ephemeral(optional(oneOf('up', 'down'))),
        cfm_health: ephemeral(optional(between(0, 100))),
        lacp_current: ephemeral(optional('boolean')),
        lldp: strings,
        other_config: strings,
        statistics: ephemeral(counters),
        status: ephemeral(strings),
        admin_state: ephemeral(optional(oneOf('up', 'down'))),
        link_state: ephemeral(optional(oneOf('up', 'down'))),
        link_resets: ephemeral(optional('integer')),
        link_speed: ephemeral(optional('integer')),
        duplex: ephemeral(optional(oneOf('half', 'full'))),
        mtu: ephemeral(optional('integer')),
        mtu_request: optional(atLeast(1)),
        error: optional('string'),
      },
    },
    Flow_Table: {
      columns: {
        name: optional('string'),
        flow_limit: optional(atLeast(0)),
        overflow_policy: optional(oneOf('refuse', 'evict')),
        groups: set('string'),
        prefixes: set('string', 3),
        external_ids: strings,
      },
    },
    QoS: {
      isRoot: true,
      columns: {
        type: string,
        queues: map(uint32, ref('Queue')),
        other_config: strings,
        external_ids: strings,
      },
    },
    Queue: {
      isRoot: true,
      columns: {
        dscp: optional(between(0, 63)),
        other_config: strings,
        external_ids: strings,
      },
    },
    Mirror: {
      columns: {
        name: string,
        select_all: boolean,
        select_src_port: set(weak('Port')),
        select_dst_port: set(weak('Port')),
        select_vlan: vlans,
        output_port: optional(weak('Port')),
        output_vlan: optional(between(1, 4095)),
        snaplen: optional(between(14, 65_535)),
        statistics: ephemeral(counters),
        external_ids: strings,
      },
    },
    NetFlow: {
      columns: {
        targets: some('string'),
        engine_type: optional(between(0, 255)),
        engine_id: optional(between(0, 255)),
        add_id_to_interface: boolean,
        active_timeout: one(atLeast(-1)),
        external_ids: strings,
      },
    },
    sFlow: {
      columns: {
        targets: some('string'),
        sampling: optional('integer'),
        polling: optional('integer'),
        header: optional('integer'),
        agent: optional('string'),
        external_ids: strings,
      },
    },
    IPFIX: {
      columns: {
        targets: set('string'),
        sampling: optional(between(1, UINT32_MAX)),
        obs_domain_id: optional(uint32),
        obs_point_id: optional(uint32),
        cache_active_timeout: optional(between(0, 4200)),
        cache_max_flows: optional(uint32),
        other_config: strings,
        external_ids: strings,
      },
    },
    Flow_Sample_Collector_Set: {
      isRoot: true,
      indexes: [['id', 'bridge']],
      columns: {
        id: one(uint32),
        bridge: one(ref('Bridge')),
        ipfix: optional(ref('IPFIX')),
        external_ids: strings,
      },
    },
    Controller: {
      columns: {
        ...connection,
        type: optional(oneOf('primary', 'service')),
        local_ip: optional('string'),
        local_netmask: optional('string'),
        local_gateway: optional('string'),
        enable_async_messages: optional('boolean'),
        controller_queue_size: optional(between(1, 512)),
        controller_rate_limit: optional(atLeast(100)),
        controller_burst_limit: optional(atLeast(25)),
        role: ephemeral(optional(oneOf('other', 'master', 'slave'))),
      },
    },
    Manager: {
      indexes: [['target']],
      columns: connection,
    },
    Datapath: {
      columns: {
        datapath_version: string,
        ct_zones: map(between(0, 65_535), ref('CT_Zone')),
        capabilities: strings,
        external_ids: strings,
      },
    },
    CT_Zone: {
      columns: {
        timeout_policy: optional(ref('CT_Timeout_Policy')),
        external_ids: strings,
      },
    },
    CT_Timeout_Policy: {
      columns: {
        timeouts: map(
          oneOf(
            'tcp_syn_sent',
            'tcp_syn_recv',
            'tcp_established',
            'tcp_fin_wait',
            'tcp_close_wait',
            'tcp_last_ack',
            'tcp_time_wait',
            'tcp_close',
            'tcp_syn_sent2',
            'tcp_retransmit',
            'tcp_unack',
            'udp_first',
            'udp_single',
            'udp_multiple',
            'icmp_first',
            'icmp_reply',
          ),
          uint32,
        ),
        external_ids: strings,
      },
    },
    SSL: {
      maxRows: 1,
      columns: {
        private_key: string,
        certificate: string,
        ca_cert: string,
        bootstrap_ca_cert: boolean,
        external_ids: strings,
      },
    },
    AutoAttach: {
      columns: {
        system_name: string,
        system_description: string,
        mappings: map(between(0, 16_777_215), vlan),
      },
    },
  },
};
