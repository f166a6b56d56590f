"""A learning switch as an os-ken application, in the version that OF_VERSION names: 10, 13, 14 or 15."""
import importlib
import os

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ethernet, packet

VERSION = os.environ['OF_VERSION']
ofproto = importlib.import_module(f'os_ken.ofproto.ofproto_v{VERSION[0]}_{VERSION[1]}')


class LearningSwitch(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ports = {}

    def add(self, dp, priority, match, actions):
        parser = dp.ofproto_parser
        if VERSION == '10':
            dp.send_msg(parser.OFPFlowMod(dp, match, 0, dp.ofproto.OFPFC_ADD, priority=priority, actions=actions))
            return
        apply = [parser.OFPInstructionActions(dp.ofproto.OFPIT_APPLY_ACTIONS, actions)]
        dp.send_msg(parser.OFPFlowMod(dp, priority=priority, match=match, instructions=apply))

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, event):
        dp = event.msg.datapath
        print(f'switch {dp.id:016x} speaks {dp.ofproto.OFP_VERSION}', flush=True)
        if VERSION != '10':
            parser = dp.ofproto_parser
            self.add(dp, 0, parser.OFPMatch(), [parser.OFPActionOutput(dp.ofproto.OFPP_CONTROLLER, 128)])

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event):
        msg = event.msg
        dp, parser = msg.datapath, msg.datapath.ofproto_parser
        frame = packet.Packet(msg.data).get_protocol(ethernet.ethernet)
        in_port = msg.in_port if VERSION == '10' else msg.match['in_port']
        assert msg.buffer_id == dp.ofproto.OFP_NO_BUFFER and len(msg.data) == msg.total_len
        known = self.ports.setdefault(dp.id, {})
        known[frame.src] = in_port
        out = known.get(frame.dst, dp.ofproto.OFPP_FLOOD)
        actions = [parser.OFPActionOutput(out)]
        if out != dp.ofproto.OFPP_FLOOD:
            names = ('dl_src', 'dl_dst') if VERSION == '10' else ('eth_src', 'eth_dst')
            match = parser.OFPMatch(in_port=in_port, **dict(zip(names, (frame.src, frame.dst))))
            self.add(dp, 10, match, actions)
            print(f'learned {frame.src} to {frame.dst}', flush=True)
        where = dict(match=parser.OFPMatch(in_port=in_port)) if VERSION == '15' else dict(in_port=in_port)
        dp.send_msg(parser.OFPPacketOut(datapath=dp, buffer_id=msg.buffer_id, actions=actions, data=msg.data, **where))

    @set_ev_cls(ofp_event.EventOFPErrorMsg, MAIN_DISPATCHER)
    def error(self, event):
        print(f'error {event.msg.type} {event.msg.code}', flush=True)
