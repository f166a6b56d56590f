"""Four tables, a group of each kind and meters, in OpenFlow 1.3: admission and metering, sources, destinations, flooding."""
from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ethernet, packet
from os_ken.ofproto import ofproto_v1_3

PORTS = (1, 2, 3)
FLOOD, METER = 100, 1


class Pipeline(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, event):
        dp = event.msg.datapath
        o, p = dp.ofproto, dp.ofproto_parser
        send = dp.send_msg
        output = p.OFPActionOutput
        send(p.OFPFlowMod(dp, table_id=o.OFPTT_ALL, command=o.OFPFC_DELETE, out_port=o.OFPP_ANY, out_group=o.OFPG_ANY))
        send(p.OFPGroupMod(dp, o.OFPGC_DELETE, 0, o.OFPG_ALL))
        send(p.OFPMeterMod(dp, o.OFPMC_DELETE, 0, o.OFPM_ALL))
        band = p.OFPMeterBandDrop(rate=1000, burst_size=100)
        send(p.OFPMeterMod(dp, o.OFPMC_ADD, o.OFPMF_PKTPS | o.OFPMF_BURST | o.OFPMF_STATS, METER, [band]))
        for port in PORTS:
            bucket = p.OFPBucket(watch_port=port, watch_group=o.OFPG_ANY, actions=[output(port)])
            kinds = {1: o.OFPGT_INDIRECT, 2: o.OFPGT_FF, 3: o.OFPGT_SELECT}
            if kinds[port] != o.OFPGT_FF:
                bucket = p.OFPBucket(weight=1 if port == 3 else 0, actions=[output(port)])
            send(p.OFPGroupMod(dp, o.OFPGC_ADD, kinds[port], port, [bucket]))
        send(p.OFPGroupMod(dp, o.OFPGC_ADD, o.OFPGT_ALL, FLOOD, [p.OFPBucket(actions=[output(port)]) for port in PORTS]))

        def apply(*actions):
            return p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, list(actions))

        def write(*actions):
            return p.OFPInstructionActions(o.OFPIT_WRITE_ACTIONS, list(actions))

        goto = p.OFPInstructionGotoTable
        for table, priority, match, instructions in (
                (0, 9, p.OFPMatch(eth_type=0x88cc), []),
                (0, 5, p.OFPMatch(eth_type=0x0800), [p.OFPInstructionMeter(METER), p.OFPInstructionWriteMetadata(4, 0xff), goto(1)]),
                (0, 1, p.OFPMatch(), [goto(1)]),
                (1, 0, p.OFPMatch(), [apply(output(o.OFPP_CONTROLLER, 64)), goto(2)]),
                (2, 0, p.OFPMatch(), [goto(3)]),
                (3, 0, p.OFPMatch(), [write(p.OFPActionGroup(FLOOD))])):
            send(p.OFPFlowMod(dp, table_id=table, priority=priority, match=match, instructions=instructions))
        send(p.OFPBarrierRequest(dp))

    @set_ev_cls(ofp_event.EventOFPBarrierReply, MAIN_DISPATCHER)
    def ready(self, event):
        print('ready', flush=True)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event):
        """A source that is new: hear no more of it, and know the way to it."""
        msg = event.msg
        dp = msg.datapath
        o, p = dp.ofproto, dp.ofproto_parser
        source, port = packet.Packet(msg.data).get_protocol(ethernet.ethernet).src, msg.match['in_port']
        dp.send_msg(p.OFPFlowMod(dp, table_id=1, priority=5, match=p.OFPMatch(in_port=port, eth_src=source),
                                 instructions=[p.OFPInstructionGotoTable(2)]))
        group = [p.OFPInstructionActions(o.OFPIT_WRITE_ACTIONS, [p.OFPActionGroup(port)])]
        dp.send_msg(p.OFPFlowMod(dp, table_id=2, priority=5, match=p.OFPMatch(eth_dst=source), instructions=group))
        print(f'host {source} table {msg.table_id}', flush=True)

    @set_ev_cls(ofp_event.EventOFPErrorMsg, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def error(self, event):
        print(f'error {event.msg.type} {event.msg.code}', flush=True)
