/**
 * The action table: one function per kind of action. A new kind is a line here and a file beside this one;
 * the type of TABLE makes the compiler ask for it.
 */
import type { Action, ActionKind } from '../../flowtable/action.ts';
import {
  formatOfPort,
  OFPP_ALL,
  OFPP_FLOOD,
  OFPP_IN_PORT,
  OFPP_NORMAL,
  OFPP_TABLE,
  type OfPort,
} from '../../flowtable/of-port.ts';
import { OF_IN_PORT } from '../../packet/key.ts';
import { MAX_DEPTH, type XlateContext } from './context.ts';
import { normal } from './normal.ts';
import { outputPort } from './output.ts';

type Translate<K extends ActionKind> = (
  ctx: XlateContext,
  action: Extract<Action, { kind: K }>,
) => void;

const TABLE: { readonly [K in ActionKind]?: Translate<K> } = {
  normal: (ctx) => {
    ctx.note?.('    NORMAL');
    normal(ctx);
  },
  output: (ctx, action) => output(ctx, action.port, action.maxBytes),
  resubmit: (ctx, action) => {
    if (ctx.depth >= MAX_DEPTH) {
      ctx.fail('drop_action_recursion_too_deep');
      return;
    }
    const inPort = ctx.flow[OF_IN_PORT];
    if (action.port !== null) ctx.flow[OF_IN_PORT] = action.port;
    ctx.depth++;
    ctx.enterTable(ctx, action.table ?? 0);
    ctx.depth--;
    ctx.flow[OF_IN_PORT] = inPort;
  },
  drop: (ctx) => ctx.drop('drop_action_of_pipeline'),
};

/** Runs a list until its end or an error. */
export function translateActions(ctx: XlateContext, actions: readonly Action[]): void {
  for (const action of actions) {
    if (ctx.error !== null) return;
    // The table's type pairs each kind with its function; TypeScript cannot follow the pairing by itself.
    (TABLE[action.kind] as ((ctx: XlateContext, action: Action) => void) | undefined)?.(
      ctx,
      action,
    );
  }
}

function output(ctx: XlateContext, port: OfPort, maxBytes: number): void {
  switch (port) {
    case OFPP_NORMAL:
      normal(ctx);
      return;
    case OFPP_TABLE:
      ctx.enterTable(ctx, 0);
      return;
    case OFPP_FLOOD:
    case OFPP_ALL:
      for (const other of ctx.inPort.bridge.ports()) {
        if (other.ofPort !== ctx.flow[OF_IN_PORT]) outputPort(ctx, other);
      }
      return;
  }
  // Only the reserved number sends a frame back where it came from (OpenFlow 1.3, 4.5).
  if (port !== OFPP_IN_PORT && port === ctx.flow[OF_IN_PORT]) {
    ctx.drop('drop_action_of_pipeline', ' >> skipping output to input port');
    return;
  }
  const out = port === OFPP_IN_PORT ? ctx.inPort : ctx.inPort.bridge.port(port);
  if (!out) {
    ctx.drop('drop_action_of_pipeline', ` >> nonexistent output port ${formatOfPort(port)}`);
    return;
  }
  ctx.note?.(`    output:${formatOfPort(out.ofPort)}`);
  if (maxBytes > 0 && out.portNo !== null) {
    ctx.commit(false);
    ctx.program.trunc(maxBytes);
  }
  outputPort(ctx, out);
}
