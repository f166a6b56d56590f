/**
 * The sample action: a part of the frames goes up with what IPFIX wants to know of them (ovs-actions(7), "The sample action"). Without
 * a collector set of the bridge it does nothing.
 */
import { CookieKind } from '../../datapath/program.ts';
import type { SampleAction } from '../../flowtable/action.ts';
import { formatOfPort, OFPP_NONE } from '../../flowtable/of-port.ts';
import { OF_IN_PORT } from '../../packet/key.ts';
import type { XlateContext } from './context.ts';

/** A port of the datapath that is none. */
const NO_PORT = 0xffffffff;
const ALWAYS = 0xffffffff;
/** What a cookie says of a direction, see CookieKind.FLOW_SAMPLE. */
const DIRECTIONS = { default: 0, ingress: 1, egress: 2 } as const;

export function sample(ctx: XlateContext, action: SampleAction): void {
  const { bridge, program, flow } = ctx;
  if (!bridge.settings.samplesFlows || action.probability === 0) return;
  const { samplingPort, collectorSet, obsDomain, obsPoint, direction } = action;
  let outputPort = NO_PORT;
  if (samplingPort !== null && samplingPort !== OFPP_NONE && samplingPort !== flow[OF_IN_PORT]) {
    const portNo = bridge.port(samplingPort)?.portNo ?? null;
    if (portNo === null) {
      const port = formatOfPort(samplingPort);
      ctx.report(`can't use unknown port ${port} in flow sample action`);
      return;
    }
    outputPort = portNo;
  }
  ctx.commit();
  // The same share of 32 bits as of 16.
  const share = ((action.probability << 16) | action.probability) >>> 0;
  const place = share === ALWAYS ? -1 : program.beginSample(share);
  program.userspace(
    CookieKind.FLOW_SAMPLE,
    action.probability,
    collectorSet,
    obsDomain,
    obsPoint,
    outputPort,
    DIRECTIONS[direction],
  );
  if (place >= 0) program.end(place);
  ctx.checkSize();
}
