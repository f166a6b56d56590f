/**
 * Why a frame was dropped. Each reason is a coverage counter of the same name, shown by
 * `coverage/show`; names that Open vSwitch has are kept, so that exporters and scripts find them.
 * The order is the index into the shared counter array (datapath/shared.ts): append only.
 */
export const DROP_REASONS = [
  'drop_action_of_pipeline',
  'drop_action_bridge_not_found',
  'drop_action_recursion_too_deep',
  'drop_action_too_many_resubmit',
  'drop_action_stack_too_deep',
  'drop_action_no_recirculation_context',
  'drop_action_recirculation_conflict',
  'drop_action_too_many_mpls_labels',
  'drop_action_invalid_tunnel_metadata',
  'drop_action_unsupported_packet_type',
  'drop_action_congestion',
  'drop_action_forwarding_disabled',
  'datapath_drop_meter',
  'datapath_drop_upcall_error',
  'datapath_drop_lock_error',
  'datapath_drop_userspace_action_error',
  'datapath_drop_tunnel_push_error',
  'datapath_drop_tunnel_pop_error',
  'datapath_drop_recirc_error',
  'datapath_drop_invalid_port',
  'datapath_drop_invalid_bond',
  'datapath_drop_invalid_tnl_port',
  'datapath_drop_rx_invalid_packet',
  'datapath_drop_sample_error',
  'datapath_drop_nsh_decap_error',
  // Ours: reasons that Open vSwitch does not tell apart.
  'drop_tx_mtu_exceeded',
  'drop_tx_queue_full',
  'drop_tx_error',
  'drop_rx_oversized',
  'drop_bad_checksum_offload',
  'drop_too_many_segments',
  'drop_vlan_ingress',
  'drop_reserved_multicast',
  'drop_no_mac_learned_output',
  'drop_port_receive_disabled',
  'drop_rx_policed',
  // Outer headers.
  'drop_tunnel_truncated',
  'drop_tunnel_bad_flags',
  'drop_tunnel_bad_version',
  'drop_tunnel_bad_checksum',
  'drop_tunnel_bad_option',
  'drop_tunnel_protocol',
  // Outer packets.
  'drop_tunnel_mtu_exceeded',
  'drop_tunnel_no_route',
  // QoS of a port.
  'drop_tx_qos_queue_full',
  'drop_tx_qos_loss',
  // Somebody on the way, or the kernel that asked for a neighbour, said that the far end cannot be reached.
  'drop_tunnel_unreachable',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** Index of a reason in the shared counters and in the DROP action. */
export const dropIndex = (reason: DropReason): number => DROP_REASONS.indexOf(reason);

/** Repairs and events that the datapath counts next to the drops: same array, after the drops. */
export const DATAPATH_EVENTS = [
  'offload_checksum_completed',
  'offload_segmented_frames',
  'offload_segments_made',
  'upcall_lost',
  'vlan_restored',
  'tunnel_inner_checksum_completed',
  'tunnel_too_big_replies',
  'tunnel_trains_refused',
] as const;

export type DatapathEvent = (typeof DATAPATH_EVENTS)[number];
