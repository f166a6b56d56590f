"""Flows and statistics by REST, on 127.0.0.1:8080, through the helpers that os-ken has for it (os_ken.lib.ofctl_v1_3).

POST and DELETE /flow take a flow as JSON; GET /stats/KIND tells of flow, aggregate, port, table, desc, group, meter, role.
"""
import json

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub, ofctl_v1_3
from os_ken.ofproto import ofproto_v1_3

KINDS = {
    'flow': ofctl_v1_3.get_flow_stats,
    'aggregate': ofctl_v1_3.get_aggregate_flow_stats,
    'port': ofctl_v1_3.get_port_stats,
    'portdesc': ofctl_v1_3.get_port_desc,
    'table': ofctl_v1_3.get_table_stats,
    'tablefeatures': ofctl_v1_3.get_table_features,
    'desc': ofctl_v1_3.get_desc_stats,
    'group': ofctl_v1_3.get_group_stats,
    'groupdesc': ofctl_v1_3.get_group_desc,
    'groupfeatures': ofctl_v1_3.get_group_features,
    'meter': ofctl_v1_3.get_meter_stats,
    'meterconfig': ofctl_v1_3.get_meter_config,
    'meterfeatures': ofctl_v1_3.get_meter_features,
    'queue': ofctl_v1_3.get_queue_stats,
    'role': ofctl_v1_3.get_role,
}


class Rest(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.dp = None
        self.waiters = {}
        self.server = hub.WSGIServer(('127.0.0.1', 8080), self.answer)
        hub.spawn(self.server.serve_forever)

    def answer(self, request, respond):
        method, path = request['REQUEST_METHOD'], request['PATH_INFO']
        status, body = '404 Not Found', None
        if self.dp is None:
            status = '503 Service Unavailable'
        elif path == '/flow' and method in ('POST', 'DELETE'):
            flow = json.loads(request['wsgi.input'].read())
            o = self.dp.ofproto
            ofctl_v1_3.mod_flow_entry(self.dp, flow, o.OFPFC_ADD if method == 'POST' else o.OFPFC_DELETE)
            status, body = '200 OK', 'done'
        elif path.startswith('/stats/') and path[7:] in KINDS:
            status, body = '200 OK', KINDS[path[7:]](self.dp, self.waiters)
        respond(status, [('Content-Type', 'application/json')])
        return [json.dumps(body).encode()]

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, event):
        self.dp = event.msg.datapath

    @set_ev_cls([ofp_event.EventOFPDescStatsReply, ofp_event.EventOFPFlowStatsReply, ofp_event.EventOFPAggregateStatsReply,
                 ofp_event.EventOFPTableStatsReply, ofp_event.EventOFPTableFeaturesStatsReply, ofp_event.EventOFPPortStatsReply,
                 ofp_event.EventOFPQueueStatsReply, ofp_event.EventOFPMeterStatsReply, ofp_event.EventOFPMeterFeaturesStatsReply,
                 ofp_event.EventOFPMeterConfigStatsReply, ofp_event.EventOFPGroupStatsReply,
                 ofp_event.EventOFPGroupFeaturesStatsReply, ofp_event.EventOFPGroupDescStatsReply,
                 ofp_event.EventOFPPortDescStatsReply, ofp_event.EventOFPRoleReply], MAIN_DISPATCHER)
    def reply(self, event):
        msg = event.msg
        lock, seen = self.waiters.get(msg.datapath.id, {}).get(msg.xid, (None, None))
        if lock is None:
            return
        seen.append(msg)
        if not getattr(msg, 'flags', 0) & msg.datapath.ofproto.OFPMPF_REPLY_MORE:
            del self.waiters[msg.datapath.id][msg.xid]
            lock.set()
