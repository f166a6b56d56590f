/**
 * Taking an object apart member by member: each is asked for by name and kind, and what nobody asked for is an error, so that a
 * misspelt option is never ignored silently.
 */
import { isObject, type Json, type JsonObject } from '../json-stream.ts';
import { type OvsdbFailure, syntaxError } from './failure.ts';

interface KindTypes {
  array: Json[];
  object: JsonObject;
  string: string;
  boolean: boolean;
  integer: number;
  /** <id> of RFC 7047 section 3.1. */
  id: string;
  /** String or object, as types are. */
  type: Json;
  number: number;
  any: Json;
}
type Kind = keyof KindTypes;

export const isId = (text: string): boolean => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(text);

const IS: { readonly [K in Kind]: (json: Json) => boolean } = {
  array: (json) => Array.isArray(json),
  object: (json) => isObject(json),
  string: (json) => typeof json === 'string',
  boolean: (json) => typeof json === 'boolean',
  integer: (json) => Number.isInteger(json),
  id: (json) => typeof json === 'string' && isId(json),
  type: (json) => typeof json === 'string' || isObject(json),
  number: (json) => typeof json === 'number',
  any: () => true,
};

export class Members {
  readonly json: Json;
  private readonly what: string;
  private readonly taken = new Set<string>();
  private failure: OvsdbFailure | null = null;

  /** `what` names the object in messages. */
  constructor(json: Json, what: string) {
    this.json = json;
    this.what = what;
    if (!isObject(json)) throw this.failed('Object expected.');
  }

  /** A member that must be there. */
  required<K extends Kind>(name: string, kind: K): KindTypes[K] {
    const value = this.optional(name, kind);
    if (value === undefined) throw this.failed(`Required '${name}' member is missing.`);
    return value;
  }

  optional<K extends Kind>(name: string, kind: K): KindTypes[K] | undefined {
    this.taken.add(name);
    const object = this.json as JsonObject;
    if (!Object.hasOwn(object, name)) return undefined;
    const value = object[name];
    if (!IS[kind](value)) throw this.failed(`Type mismatch for member '${name}'.`);
    return value as KindTypes[K];
  }

  /** A failure about this object. */
  failed(why: string): OvsdbFailure {
    this.failure = syntaxError(
      isObject(this.json) ? this.json : undefined,
      `Parsing ${this.what} failed: ${why}`,
    );
    return this.failure;
  }

  /** Throws when members are left, unless something was wrong with the object before. */
  finish(): void {
    if (this.failure !== null) return;
    const left = Object.keys(this.json as JsonObject).filter((name) => !this.taken.has(name));
    if (left.length === 0) return;
    const others = left.length - 1;
    throw this.failed(
      others === 0
        ? `Member '${left[0]}' is present but not allowed here.`
        : `Member '${left[0]}' and ${others} other member${others > 1 ? 's' : ''} are present but not allowed here.`,
    );
  }
}
