/** What this program calls itself where the original says `ovs-vsctl`. */
export const NAME = 'ts-vsctl';
