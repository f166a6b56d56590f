/**
 * What a rule does, as data: one union, `kind` tells the form. Translation has one function per kind.
 *
 * As in Open vSwitch, the instructions of OpenFlow 1.1+ become part of the same list when a rule is
 * installed, so that there is one thing to translate. The OpenFlow issue appends its kinds here.
 */
import type { OfPort } from './of-port.ts';

export type Action =
  /** Learning switch: VLANs, MAC table, flooding. */
  | { readonly kind: 'normal' }
  /** To one port, reserved numbers included. `maxBytes` 0 sends whole frames. */
  | { readonly kind: 'output'; readonly port: OfPort; readonly maxBytes: number }
  /** Looks the flow up again in a table of the same bridge, as if it came in on `port` (or stays as it is). */
  | { readonly kind: 'resubmit'; readonly port: OfPort | null; readonly table: number }
  /** Ends translation: nothing after it happens. */
  | { readonly kind: 'drop' };

export type ActionKind = Action['kind'];

export const NORMAL: Action = { kind: 'normal' };
