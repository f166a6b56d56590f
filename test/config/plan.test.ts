import { describe, expect, test } from 'vitest';
import {
  bridgeIdentity,
  interfaceIdentity,
  plan,
  type RunningBridgeView,
} from '../../src/config/plan.ts';
import type { WantedBridge, WantedInterface, WantedPort } from '../../src/config/wanted.ts';
import { DEFAULT_BUNDLE } from '../../src/ofproto/bundle.ts';

const iface = (name: string, more: Partial<WantedInterface> = {}): WantedInterface => ({
  uuid: name,
  name,
  type: 'system',
  isLocal: false,
  options: {},
  mtuRequest: null,
  mac: null,
  ofportRequest: null,
  previousOfport: null,
  otherConfig: {},
  policing: { rateKbps: 0, burstKb: 0, rateKpps: 0, burstKpkts: 0 },
  error: null,
  ...more,
});

const port = (name: string, more: Partial<WantedPort> = {}): WantedPort => ({
  uuid: name,
  name,
  settings: DEFAULT_BUNDLE,
  bond: { mode: 'active-backup', lacp: 'off', updelayMs: 0, downdelayMs: 0, fakeIface: false },
  fakeBridge: false,
  mac: null,
  otherConfig: {},
  qos: null,
  interfaces: [iface(name)],
  ...more,
});

const bridge = (name: string, ports: WantedPort[], more: Partial<WantedBridge> = {}) =>
  ({
    uuid: name,
    name,
    datapathType: 'system',
    failMode: 'standalone',
    datapathId: null,
    hwaddr: null,
    macAgingSeconds: 300,
    macTableSize: 8192,
    forwardBpdu: false,
    floodVlans: [],
    samplesFlows: false,
    stpEnable: false,
    rstpEnable: false,
    mcastSnoopingEnable: false,
    disableInBand: false,
    protocols: [],
    controllers: [],
    flowTables: new Map(),
    mirrors: [],
    otherConfig: {},
    ports,
    ...more,
  }) satisfies WantedBridge;

/** What runs after `want` was carried out; `gone` names devices that vanished since. */
function running(want: WantedBridge[], gone: string[] = []): Map<string, RunningBridgeView> {
  return new Map(
    want.map((b) => [
      b.name,
      {
        datapathType: b.datapathType,
        settings: bridgeIdentity(b),
        interfaces: new Map(
          b.ports.flatMap((p) =>
            p.interfaces.map((i) => [
              i.name,
              {
                identity: interfaceIdentity(i),
                current: !gone.includes(i.name),
                ofPort: i.ofportRequest ?? Number(/\d+$/.exec(i.name)?.[0] ?? 99),
              },
            ]),
          ),
        ),
        bundles: new Map(
          b.ports.map((p) => [
            p.name,
            { settings: p.settings, members: p.interfaces.map((i) => i.name) },
          ]),
        ),
      },
    ]),
  );
}

const brief = (steps: ReturnType<typeof plan>): string[] =>
  steps.map((step) => `${step.kind} ${'want' in step ? step.want.name : step.name}`);

test('nothing to do when all that is wanted runs', () => {
  const want = [bridge('br0', [port('br0'), port('p1')])];
  expect(plan(want, running(want))).toEqual([]);
});

test('a bridge is made before its interfaces, and those before bundles', () => {
  const want = [bridge('br0', [port('br0'), port('p1')])];
  expect(brief(plan(want, new Map()))).toEqual([
    'add-bridge br0',
    'add-interface br0',
    'add-interface p1',
    'set-bundle br0',
    'set-bundle p1',
  ]);
});

test('removals come first, so that a name can move from one bridge to another', () => {
  const before = [bridge('br0', [port('p1')]), bridge('br1', [port('p2')])];
  const after = [bridge('br0', []), bridge('br1', [port('p1'), port('p2')])];
  expect(brief(plan(after, running(before)))).toEqual([
    'remove-interface p1',
    'remove-bundle p1',
    'add-interface p1',
    'set-bundle p1',
  ]);
});

test('a device that vanished or came back as another is opened again under its number', () => {
  const want = [bridge('br0', [port('p1'), port('p2')])];
  const steps = plan(want, running(want, ['p1']));
  expect(brief(steps)).toEqual(['remove-interface p1', 'add-interface p1', 'set-bundle p1']);
  expect(steps[0]).toMatchObject({ forget: false });
});

test('a change of type or options opens the interface again, a change of VLAN does not', () => {
  const before = [bridge('br0', [port('p1')])];
  const patch = { type: 'patch', options: { peer: 'p2' } };
  const retyped = [bridge('br0', [port('p1', { interfaces: [iface('p1', patch)] })])];
  expect(brief(plan(retyped, running(before)))).toEqual([
    'remove-interface p1',
    'add-interface p1',
    'set-bundle p1',
  ]);
  const settings = { ...DEFAULT_BUNDLE, vlanMode: 'access' as const, tag: 10 };
  const tagged = [bridge('br0', [port('p1', { settings })])];
  expect(brief(plan(tagged, running(before)))).toEqual(['set-bundle p1']);
});

test('system and netdev are one datapath, dummy is another', () => {
  const before = [bridge('br0', [port('p1')])];
  const netdev = [bridge('br0', [port('p1')], { datapathType: 'netdev' })];
  expect(brief(plan(netdev, running(before)))).toEqual(['configure-bridge br0']);
  const dummy = [bridge('br0', [port('p1')], { datapathType: 'dummy' })];
  expect(brief(plan(dummy, running(before)))).toEqual([
    'remove-interface p1',
    'remove-bundle p1',
    'remove-bridge br0',
    'add-bridge br0',
    'add-interface p1',
    'set-bundle p1',
  ]);
});

describe('a requested number', () => {
  const asking = (name: string, ofportRequest: number | null) =>
    port(name, { interfaces: [iface(name, { ofportRequest })] });
  const before = [bridge('br0', [port('p1'), port('p2')])];
  const interfacesOf = (after: WantedPort[], from = before) =>
    brief(plan([bridge('br0', after)], running(from))).filter((s) => s.includes('interface'));

  test('that is free moves its interface only', () => {
    expect(interfacesOf([asking('p1', 7), port('p2')])).toEqual([
      'remove-interface p1',
      'add-interface p1',
    ]);
  });

  test('that an interface has already, or that nobody asks for any more, changes nothing', () => {
    expect(interfacesOf([asking('p1', 1), port('p2')])).toEqual([]);
    expect(
      interfacesOf([port('p1'), port('p2')], [bridge('br0', [asking('p1', 1), port('p2')])]),
    ).toEqual([]);
  });

  test('is taken from who has it by chance, and given before anybody else gets one', () => {
    expect(interfacesOf([port('p1'), asking('p2', 1)])).toEqual([
      'remove-interface p1',
      'remove-interface p2',
      'add-interface p2',
      'add-interface p1',
    ]);
  });

  test('stays with who asked for it as well', () => {
    expect(interfacesOf([asking('p1', 1), asking('p2', 1)])).toEqual([]);
  });
});

test('an interface with an error is not opened, and closed when it ran', () => {
  const before = [bridge('br0', [port('p1')])];
  const broken = port('p1', { interfaces: [iface('p1', { error: 'File exists' })] });
  const want = [bridge('br0', [broken])];
  expect(brief(plan(want, new Map()))).toEqual(['add-bridge br0', 'set-bundle p1']);
  expect(brief(plan(want, running(before)))).toEqual(['remove-interface p1', 'set-bundle p1']);
});

test('an interface that could not be opened is tried again by every plan', () => {
  const want = [bridge('br0', [port('p1'), port('p2')])];
  const view = running(want).get('br0')!;
  const interfaces = new Map(view.interfaces);
  interfaces.delete('p2');
  const steps = plan(want, new Map([['br0', { ...view, interfaces }]]));
  expect(brief(steps)).toEqual(['add-interface p2', 'set-bundle p2']);
});
