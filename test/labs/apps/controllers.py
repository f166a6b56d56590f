"""What controllers send, in their order, to the bridge br0 of the switch whose sockets are in the directory given; prints every answer.

Usage: controllers.py DIRECTORY PORT. The bridge has dummy ports p1 (1) and p2 (2). Run against two switches, it prints the same.
"""
import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from osken_peer import Peer, text  # noqa: E402

DIRECTORY, PORT = sys.argv[1], int(sys.argv[2])
FRAME = '50540000000a50540000000b08004500001c0000000040110000c0a80001c0a8000200010002000801' + '02'
ENV = dict(os.environ, OVS_RUNDIR=DIRECTORY, OVS_DBDIR=DIRECTORY)


def run(*command):
    return subprocess.run(command, env=ENV, check=True, capture_output=True, text=True, timeout=20).stdout


def vsctl(*words):
    return run('ovs-vsctl', '--timeout=10', *words)


def appctl(*words):
    with open(f'{DIRECTORY}/ovs-vswitchd.pid') as file:
        pid = file.read().strip()
    return run('ovs-appctl', '-t', f'{DIRECTORY}/ovs-vswitchd.{pid}.ctl', *words)


def packet(port='p1', ttl='40'):
    # The original keeps what it cached of misses when controllers come and go.
    appctl('dpctl/del-flows')
    appctl('netdev-dummy/receive', port, FRAME.replace('000040110000', f'0000{ttl}110000'))


def title(words):
    print(f'## {words}', flush=True)


def show(messages):
    for message in messages:
        body = getattr(message, 'body', None)
        if isinstance(body, list):  # Ports and meters come in the order of a hash.
            body.sort(key=text)
        if isinstance(getattr(message, 'queues', None), list):
            message.queues.sort(key=lambda queue: queue.port)
        if isinstance(getattr(message, 'ports', None), dict):
            message.ports = dict(sorted(message.ports.items()))
        print(text(message), flush=True)


def clear():
    run('ovs-ofctl', '-OOpenFlow14', 'del-flows', 'br0')
    run('ovs-ofctl', '-OOpenFlow14', 'del-groups', 'br0')
    run('ovs-ofctl', '-OOpenFlow14', 'del-meters', 'br0')


class Controllers:
    """Listens on PORT and after it, and makes the bridge connect to them."""

    def __init__(self, count, *settings):
        self.servers = [socket.create_server(('127.0.0.1', PORT + i)) for i in range(count)]
        for server in self.servers:
            server.settimeout(15)
        vsctl('set-controller', 'br0', *(f'tcp:127.0.0.1:{PORT + i}' for i in range(count)),
              *(word for i in range(count) for word in settings))

    def accept(self, index, version):
        return Peer.accept(self.servers[index], version)

    def close(self):
        vsctl('del-controller', 'br0')
        for server in self.servers:
            server.close()


def match(peer, **fields):
    return peer.parser.OFPMatch(**fields)


def flow(peer, actions=(), **fields):
    """A flow in any version."""
    d, p, o = peer.desc, peer.parser, peer.ofp
    m = fields.pop('match', None) or p.OFPMatch()
    if o.OFP_VERSION == 1:
        fields.setdefault('command', o.OFPFC_ADD)
        return p.OFPFlowMod(d, match=m, cookie=0, idle_timeout=fields.pop('idle_timeout', 0), hard_timeout=0,
                            actions=list(actions), **fields)
    instructions = fields.pop('instructions', None)
    if instructions is None:
        instructions = [p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, list(actions))] if actions else []
    return p.OFPFlowMod(d, match=m, instructions=instructions, **fields)


def delete_all(peer):
    o = peer.ofp
    return flow(peer, command=o.OFPFC_DELETE, table_id=o.OFPTT_ALL, out_port=o.OFPP_ANY, out_group=o.OFPG_ANY)


def faucet():
    title('Faucet')
    c = Controllers(1)
    peer = c.accept(0, 4)
    d, p, o = peer.desc, peer.parser, peer.ofp
    show(peer.ask(p.OFPFeaturesRequest(d)))
    show(peer.ask(p.OFPSetConfig(d, o.OFPC_FRAG_NORMAL, 0),
                  p.OFPSetAsync(d, [1 << o.OFPR_NO_MATCH | 1 << o.OFPR_ACTION, 0], [7, 7],
                                [1 << o.OFPRR_IDLE_TIMEOUT | 1 << o.OFPRR_HARD_TIMEOUT, 0]),
                  p.OFPGetAsyncRequest(d), p.OFPGetConfigRequest(d), p.OFPDescStatsRequest(d, 0)))
    show(peer.ask(delete_all(peer),
                  p.OFPMeterMod(d, o.OFPMC_DELETE, 0, o.OFPM_ALL),
                  p.OFPGroupMod(d, o.OFPGC_DELETE, 0, o.OFPG_ALL)))
    show(peer.ask(p.OFPPortDescStatsRequest(d, 0)))
    band = p.OFPMeterBandDrop(rate=1000, burst_size=100)
    show(peer.ask(p.OFPMeterMod(d, o.OFPMC_ADD, o.OFPMF_PKTPS | o.OFPMF_BURST, o.OFPM_CONTROLLER, [band]),
                  p.OFPMeterMod(d, o.OFPMC_ADD, o.OFPMF_PKTPS, o.OFPM_SLOWPATH, [band]),
                  p.OFPMeterMod(d, o.OFPMC_ADD, o.OFPMF_KBPS, 1, [band]),
                  p.OFPMeterConfigStatsRequest(d, 0, o.OFPM_ALL)))
    flood = [p.OFPBucket(actions=[p.OFPActionOutput(port)]) for port in (1, 2)]
    show(peer.ask(p.OFPGroupMod(d, o.OFPGC_ADD, o.OFPGT_ALL, 7, flood),
                  p.OFPGroupDescStatsRequest(d, 0)))
    goto = p.OFPInstructionGotoTable
    tagged = [p.OFPActionPushVlan(0x8100), p.OFPActionSetField(vlan_vid=0x1000 | 100)]
    show(peer.ask(
        flow(peer, table_id=0, priority=9000, cookie=0x5ca1ab1e, match=match(peer, in_port=1),
             instructions=[p.OFPInstructionMeter(1), p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, tagged), goto(1)]),
        flow(peer, table_id=1, priority=1, cookie=0x5ca1ab1e,
             instructions=[p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, [p.OFPActionOutput(o.OFPP_CONTROLLER, 194)]),
                           p.OFPInstructionWriteMetadata(3, 255), goto(2)]),
        flow(peer, table_id=2, priority=8000, cookie=0x5ca1ab1e, match=match(peer, metadata=(3, 255)),
             idle_timeout=0, hard_timeout=0, flags=o.OFPFF_SEND_FLOW_REM,
             actions=[p.OFPActionPopVlan(), p.OFPActionGroup(7)])))
    show(peer.quiet(0.1))
    packet()
    show(peer.quiet())
    show(peer.ask(p.OFPFlowStatsRequest(d, 0, o.OFPTT_ALL, o.OFPP_ANY, o.OFPG_ANY, 0, 0, match(peer))))
    # Valves delete by cookie, strictly and not.
    show(peer.ask(flow(peer, command=o.OFPFC_DELETE, table_id=2, cookie=0x5ca1ab1e, cookie_mask=2**64 - 1,
                       out_port=o.OFPP_ANY, out_group=o.OFPG_ANY)))
    vsctl('add-port', 'br0', 'p7', '--', 'set', 'interface', 'p7', 'type=dummy', 'ofport_request=7')
    vsctl('del-port', 'p7')
    show(peer.quiet())
    show(sorted_tables(peer.ask(p.OFPTableFeaturesStatsRequest(d, 0))))
    c.close()
    clear()


def sorted_tables(replies):
    """Features of tables are long, and others compare them: how many, and of what."""
    count = 0
    for reply in replies:
        if type(reply).__name__ != 'OFPTableFeaturesStatsReply':
            return replies
        count += len(reply.body)
    return [f'{count} tables']


def all_requests():
    for version in (4, 5, 6):
        title(f'every request of version {version}')
        peer = Peer.tool(f'{DIRECTORY}/br0.mgmt', version)
        d, p, o = peer.desc, peer.parser, peer.ofp
        requests = [
            p.OFPDescStatsRequest(d, 0),
            p.OFPFlowStatsRequest(d, 0, o.OFPTT_ALL, o.OFPP_ANY, o.OFPG_ANY, 0, 0, match(peer)),
            p.OFPAggregateStatsRequest(d, 0, o.OFPTT_ALL, o.OFPP_ANY, o.OFPG_ANY, 0, 0, match(peer)),
            p.OFPQueueStatsRequest(d, 0, o.OFPP_ANY, o.OFPQ_ALL),
            p.OFPQueueStatsRequest(d, 0, 99, o.OFPQ_ALL),
            p.OFPPortStatsRequest(d, 0, 99),
            p.OFPGroupStatsRequest(d, 0, o.OFPG_ALL),
            p.OFPGroupFeaturesStatsRequest(d, 0),
            p.OFPMeterStatsRequest(d, 0, o.OFPM_ALL),
            p.OFPMeterStatsRequest(d, 0, 9),
            # os-ken cannot read the reply of 1.5.
            p.OFPMeterFeaturesStatsRequest(d, 0) if version < 6 else None,
            p.OFPRoleRequest(d, role=o.OFPCR_ROLE_NOCHANGE, generation_id=0,
                             **(dict(short_id=0) if version == 6 else {})),
            p.OFPGetAsyncRequest(d),
            p.OFPGetConfigRequest(d),
            p.OFPEchoRequest(d, b'abc'),
            p.OFPExperimenterStatsRequest(d, 0, 0x1234, 1, b'') if version < 6 else None,
            p.OFPExperimenter(d, 0x4f4e4600, 999, b''),
            p.OFPQueueGetConfigRequest(d, o.OFPP_ANY) if version == 4 else p.OFPQueueDescStatsRequest(d, 0, 1, o.OFPQ_ALL),
            p.OFPTableDescStatsRequest(d, 0) if version > 4 else None,
            p.OFPGroupDescStatsRequest(d, 0) if version < 6 else p.OFPGroupDescStatsRequest(d, 0, o.OFPG_ALL),
            p.OFPTableMod(d, 200, 0) if version == 4 else None,
        ]
        for request in requests:
            if request is None:
                continue
            print(f'> {type(request).__name__}')
            answers = peer.ask(request)
            if type(request).__name__ == 'OFPTableDescStatsRequest':
                answers = [f'{sum(len(one.body) for one in answers)} tables']
            show(answers)


def handshakes():
    title('Floodlight')
    c = Controllers(1)
    peer = c.accept(0, 5)
    d, p, o = peer.desc, peer.parser, peer.ofp
    show(peer.ask(p.OFPFeaturesRequest(d)))
    show(peer.ask(p.OFPPortDescStatsRequest(d, 0)))
    show(peer.ask(p.OFPSetConfig(d, o.OFPC_FRAG_NORMAL, 0xffff)))
    show(peer.ask(p.OFPGetConfigRequest(d)))
    show(peer.ask(p.OFPDescStatsRequest(d, 0)))
    show(sorted_tables(peer.ask(p.OFPTableFeaturesStatsRequest(d, 0))))
    show(peer.ask(p.OFPRoleRequest(d, o.OFPCR_ROLE_MASTER, 0)))
    show(peer.ask(delete_all(peer), p.OFPGroupMod(d, o.OFPGC_DELETE, 0, o.OFPG_ALL),
                  flow(peer, priority=0, actions=[p.OFPActionOutput(o.OFPP_CONTROLLER, 0xffff)])))
    packet()
    show(peer.quiet())
    c.close()
    clear()
    title('ONOS')
    c = Controllers(1)
    peer = c.accept(0, 4)
    d, p, o = peer.desc, peer.parser, peer.ofp
    for request in (p.OFPFeaturesRequest(d), p.OFPPortDescStatsRequest(d, 0), p.OFPGetConfigRequest(d),
                    p.OFPDescStatsRequest(d, 0), p.OFPMeterFeaturesStatsRequest(d, 0),
                    p.OFPRoleRequest(d, o.OFPCR_ROLE_MASTER, 1)):
        show(peer.ask(request))
    c.close()
    title('OpenDaylight')
    c = Controllers(1)
    peer = c.accept(0, 4)
    d, p, o = peer.desc, peer.parser, peer.ofp
    show(peer.ask(p.OFPFeaturesRequest(d)))
    show(peer.ask(p.OFPRoleRequest(d, o.OFPCR_ROLE_NOCHANGE, 0)))
    show(peer.ask(p.OFPDescStatsRequest(d, 0)))
    answers = peer.ask(p.OFPMeterFeaturesStatsRequest(d, 0), p.OFPGroupFeaturesStatsRequest(d, 0),
                       p.OFPTableFeaturesStatsRequest(d, 0), p.OFPPortDescStatsRequest(d, 0))
    for kind in ('OFPMeterFeatures', 'OFPGroupFeatures', 'OFPPortDesc'):
        show(one for one in answers if type(one).__name__.startswith(kind))
    c.close()


def roles():
    for version in (4, 5):
        title(f'roles in version {version}')
        c = Controllers(3)
        first, second, third = (c.accept(i, version) for i in range(3))
        d, p, o = first.desc, first.parser, first.ofp

        def role(peer, which, generation):
            return peer.ask(p.OFPRoleRequest(peer.desc, which, generation))

        base = 10 * version
        show(role(first, o.OFPCR_ROLE_MASTER, base + 5))
        show(role(second, o.OFPCR_ROLE_SLAVE, base + 6))
        show(role(third, o.OFPCR_ROLE_MASTER, base + 4))
        show(role(third, o.OFPCR_ROLE_MASTER, 2**64 - 1))
        print('a new one')
        show(role(third, o.OFPCR_ROLE_MASTER, base + 7))
        print('the one before hears')
        show(first.quiet())
        show(role(first, o.OFPCR_ROLE_NOCHANGE, 0))
        print('secondaries only look')
        show(second.ask(flow(second), p.OFPGroupMod(d, o.OFPGC_ADD, o.OFPGT_ALL, 1, []),
                        p.OFPPacketOut(d, o.OFP_NO_BUFFER, o.OFPP_CONTROLLER, [p.OFPActionOutput(1)], bytes.fromhex(FRAME)),
                        p.OFPMeterMod(d, o.OFPMC_ADD, o.OFPMF_KBPS, 1, []),
                        p.OFPGetConfigRequest(d), p.OFPAggregateStatsRequest(d, 0, o.OFPTT_ALL, o.OFPP_ANY, o.OFPG_ANY, 0, 0, match(first))))
        print('what each hears')
        show(third.ask(flow(third, priority=1, actions=[p.OFPActionOutput(o.OFPP_CONTROLLER, 0xffff)])))
        packet()
        vsctl('add-port', 'br0', 'p7', '--', 'set', 'interface', 'p7', 'type=dummy', 'ofport_request=7')
        vsctl('del-port', 'p7')
        for name, peer in (('first', first), ('second', second), ('third', third)):
            print(f'- {name}')
            show(peer.quiet())
        time.sleep(5.2)
        print(sorted(vsctl('--bare', '--columns=role', 'list', 'controller').split()))
        show(role(third, o.OFPCR_ROLE_EQUAL, 0))
        c.close()
        clear()


def async_config():
    title('async by tools')
    peer = Peer.tool(f'{DIRECTORY}/br0.mgmt', 4)
    d, p, o = peer.desc, peer.parser, peer.ofp
    show(peer.ask(flow(peer, priority=1, actions=[p.OFPActionOutput(o.OFPP_CONTROLLER, 20)])))
    packet()
    show(peer.quiet())
    print('with a miss_send_len')
    show(peer.ask(p.OFPSetConfig(d, 0, 64)))
    packet()
    show(peer.quiet())
    print('no packet-ins')
    show(peer.ask(p.OFPSetAsync(d, [0, 0], [7, 7], [15, 0]), p.OFPGetAsyncRequest(d)))
    packet()
    show(peer.quiet())
    show(peer.ask(flow(peer, priority=1, command=o.OFPFC_DELETE, table_id=o.OFPTT_ALL, out_port=o.OFPP_ANY, out_group=o.OFPG_ANY)))
    clear()


def packet_ins():
    for version in (1, 4, 5, 6):
        title(f'packet-ins of version {version}')
        c = Controllers(1)
        peer = c.accept(0, version)
        d, p, o = peer.desc, peer.parser, peer.ofp
        to = p.OFPActionOutput(o.OFPP_CONTROLLER, 20)
        print('miss without a flow')
        packet()
        show(peer.quiet())
        print('action')
        show(peer.ask(flow(peer, priority=5, actions=[to])))
        packet()
        show(peer.quiet())
        if version > 1:
            print('miss flow')
            show(peer.ask(delete_all(peer), flow(peer, priority=0, actions=[to])))
            packet()
            show(peer.quiet())
            print('invalid TTL')
            m = match(peer, eth_type=0x800)
            show(peer.ask(flow(peer, priority=6, match=m, actions=[p.OFPActionDecNwTtl(), p.OFPActionOutput(2)])))
            packet(ttl='01')
            show(peer.quiet())
            if version == 4:
                show(peer.ask(p.OFPSetAsync(d, [7, 7], [7, 7], [15, 0])))
                packet(ttl='01')
                show(peer.quiet())
            print('group')
            if version < 6:
                bucket = p.OFPBucket(actions=[to])
                show(peer.ask(p.OFPGroupMod(d, o.OFPGC_ADD, o.OFPGT_ALL, 1, [bucket]),
                              flow(peer, priority=7, actions=[p.OFPActionGroup(1)])))
                packet()
                show(peer.quiet())
            print('action set')
            show(peer.ask(flow(peer, priority=8, instructions=[p.OFPInstructionActions(o.OFPIT_WRITE_ACTIONS, [to])])))
            packet()
            show(peer.quiet())
        print('packet-out')
        out = dict(buffer_id=0xffffffff, actions=[p.OFPActionOutput(o.OFPP_TABLE), to], data=bytes.fromhex(FRAME))
        out.update(dict(match=match(peer, in_port=1)) if version == 6 else dict(in_port=1))
        show(peer.ask(p.OFPPacketOut(d, **out)))
        show(peer.quiet())
        print('a buffer')
        out.update(buffer_id=5, data=None)
        show(peer.ask(p.OFPPacketOut(d, **out)))
        show(peer.ask(flow(peer, priority=9, buffer_id=5)))
        c.close()
        clear()


def rates():
    title('packet-ins by controller_rate_limit')
    c = Controllers(1)
    vsctl('set', 'controller', vsctl('--bare', '--columns=_uuid', 'list', 'controller').strip(),
          'controller_rate_limit=100', 'controller_burst_limit=25')
    peer = c.accept(0, 4)
    p, o = peer.parser, peer.ofp
    show(peer.ask(flow(peer, priority=5, actions=[p.OFPActionOutput(o.OFPP_CONTROLLER, 20)])))
    for _ in range(5):
        packet()
    print(len(peer.quiet(0.5)))
    time.sleep(5)
    status = vsctl('--bare', '--columns=status', 'list', 'controller').split()
    print(sorted(word for word in status if word.startswith('packet-in')))
    c.close()
    clear()


def live_changes():
    title('protocols changed live')
    c = Controllers(1)
    peer = c.accept(0, 4)
    vsctl('set', 'bridge', 'br0', 'protocols=OpenFlow10')
    show(peer.quiet(1))
    peer = c.accept(0, 1)
    show(peer.ask(peer.parser.OFPFeaturesRequest(peer.desc)))
    vsctl('set', 'bridge', 'br0', 'protocols=[]')
    show(peer.quiet(1))
    peer = c.accept(0, 4)
    print('controller removed and added')
    vsctl('del-controller', 'br0')
    show(peer.quiet(1))
    c.close()
    title('a listening controller removed')
    vsctl('set-controller', 'br0', f'ptcp:{PORT}:127.0.0.1')
    time.sleep(0.3)
    sock = socket.create_connection(('127.0.0.1', PORT))
    peer = Peer(sock, 4)
    show(peer.ask(peer.parser.OFPEchoRequest(peer.desc, b'x')))
    print(vsctl('--bare', '--columns=is_connected,role', 'list', 'controller').split())
    vsctl('del-controller', 'br0')
    show(peer.quiet(1))
    title('targets that are no good')
    for target in ('tcp:127.0.0.1:99999', 'nonsense', 'tcp:', 'unix:/etc/passwd', 'punix:/tmp/elsewhere'):
        vsctl('set-controller', 'br0', target)
        time.sleep(0.2)
        print(target, vsctl('--bare', '--columns=is_connected', 'list', 'controller').split())
    vsctl('del-controller', 'br0')


def fail_modes():
    title('standalone, by the forwarding of a frame')
    vsctl('set', 'bridge', 'br0', 'fail_mode=standalone')
    c = Controllers(1)
    row = vsctl('--bare', '--columns=_uuid', 'list', 'controller').strip()
    vsctl('set', 'controller', row, 'inactivity_probe=1000', 'max_backoff=1000')

    def forwards():
        trace = appctl('ofproto/trace', 'br0', 'in_port=1,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02')
        return 'drop' not in trace.splitlines()[-1]

    def becomes(wanted, seconds):
        end = time.time() + seconds
        while forwards() != wanted and time.time() < end:
            time.sleep(0.1)
        return forwards()

    peer = c.accept(0, 4)
    p, o = peer.parser, peer.ofp
    show(peer.ask(flow(peer, priority=1, match=match(peer, in_port=2))))
    print('connected', becomes(False, 2))
    peer.sock.close()
    c.servers[0].close()
    time.sleep(1)
    print('just gone', forwards())
    print('gone', becomes(True, 8))
    c.servers[0] = socket.create_server(('127.0.0.1', PORT))
    c.servers[0].settimeout(15)
    peer = c.accept(0, 4)
    time.sleep(0.5)
    print('back', forwards())
    print(any(type(one).__name__ == 'OFPGetConfigReply' for one in peer.ask(p.OFPGetConfigRequest(peer.desc))))
    print('asked', forwards())
    show(peer.ask(flow(peer, priority=1, match=match(peer, in_port=2))))
    print('told', becomes(False, 1))
    show(peer.ask(p.OFPAggregateStatsRequest(peer.desc, 0, o.OFPTT_ALL, o.OFPP_ANY, o.OFPG_ANY, 0, 0, match(peer))))
    vsctl('set', 'bridge', 'br0', 'fail_mode=secure')
    c.close()
    clear()


def probes():
    title('inactivity_probe')
    c = Controllers(1)
    row = vsctl('--bare', '--columns=_uuid', 'list', 'controller').strip()
    vsctl('set', 'controller', row, 'inactivity_probe=1000', 'max_backoff=1000')
    peer = c.accept(0, 4)
    peer.sock.settimeout(20)
    begun = time.time()

    def says(words):
        # Some parts of a second come from the original's poll loop.
        print(words, 'after', int((time.time() - begun) / 2.4) * 2.5)

    says(f'type {peer.receive()[1]}')
    says(peer.receive())
    peer = c.accept(0, 4)
    says('again')
    time.sleep(5.5)
    status = vsctl('--bare', '--columns=status', 'list', 'controller')
    print('last_error=Connection timed out' in status)
    c.close()


def snooping():
    title('snoop')
    c = Controllers(1)
    peer = c.accept(0, 4)
    snoop = Peer.tool(f'{DIRECTORY}/br0.snoop', 4)
    time.sleep(0.2)
    peer.ask(peer.parser.OFPEchoRequest(peer.desc, b'xyz'), peer.parser.OFPRoleRequest(peer.desc, 0, 0))
    show(snoop.quiet())
    c.close()


SCENARIOS = [fail_modes, probes, snooping, faucet, all_requests, handshakes, roles, async_config, packet_ins, rates, live_changes]
chosen = sys.argv[3:]
for scenario in SCENARIOS:
    if not chosen or scenario.__name__ in chosen:
        try:
            scenario()
        except Exception as error:
            print(f'FAILED {scenario.__name__}: {type(error).__name__} {error}', flush=True)
            vsctl('del-controller', 'br0')
