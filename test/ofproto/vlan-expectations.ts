/**
 * What Open vSwitch 3.1 does with broadcasts on a bridge whose ports have every VLAN mode, recorded with
 * `ofproto/trace` on dummy ports. Columns: input port | tags (VID/PCP, outermost first) | datapath actions.
 * Port 100 is the local port. Ports are configured in vlan-matrix.test.ts.
 */

/** other_config:vlan-limit=1, the default: a second tag is payload. */
export const ONE_TAG = `
1|-|100,9,10
1|0/0|pop_vlan,100,9,push_vlan(vid=0,pcp=0),10
1|0/5|100,9,10
1|10/3|100,pop_vlan,2,push_vlan(vid=10,pcp=3),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,10,pop_vlan,push_vlan(vid=0,pcp=3),12,13
1|20/0|100,3,4,5,9,10,pop_vlan,11,push_vlan(vid=20,pcp=0),12
1|100/1|100,4,5,9,10
1|10/3 100/1|100,pop_vlan,2,push_vlan(vid=10,pcp=3),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,10,pop_vlan,push_vlan(vid=0,pcp=3),12,13
1|88a8:10/0 200/0|100,pop_vlan,2,push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
1|10/2 0/4|100,pop_vlan,2,push_vlan(vid=10,pcp=2),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=10,pcp=2),9,10,pop_vlan,push_vlan(vid=0,pcp=2),12,13
1|0/1 100/1|100,9,10
2|-|push_vlan(vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,8,push_vlan(vid=10,pcp=0),9,10,pop_vlan,12,13
2|0/0|pop_vlan,push_vlan(vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,8,push_vlan(vid=10,pcp=0),9,10,pop_vlan,12,13
2|0/5|pop_vlan,push_vlan(vid=10,pcp=5),100,1,3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=5),8,pop_vlan,push_vlan(vid=10,pcp=5),9,10,pop_vlan,push_vlan(vid=0,pcp=5),12,13
2|10/3|drop
2|20/0|drop
2|100/1|drop
2|10/3 100/1|drop
2|88a8:10/0 200/0|drop
2|10/2 0/4|drop
2|0/1 100/1|pop_vlan,push_vlan(vid=10,pcp=1),100,1,3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=1),8,pop_vlan,push_vlan(vid=10,pcp=1),9,10,pop_vlan,push_vlan(vid=0,pcp=1),12,13
3|-|drop
3|0/0|drop
3|0/5|drop
3|10/3|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),4,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,10,pop_vlan,push_vlan(vid=0,pcp=3),12,13
3|20/0|100,1,4,5,9,10,pop_vlan,11,push_vlan(vid=20,pcp=0),12
3|100/1|drop
3|10/3 100/1|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),4,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,10,pop_vlan,push_vlan(vid=0,pcp=3),12,13
3|88a8:10/0 200/0|100,1,pop_vlan,2,push_vlan(tpid=0x88a8,vid=10,pcp=0),4,pop_vlan,5,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
3|10/2 0/4|100,1,pop_vlan,2,push_vlan(vid=10,pcp=2),4,pop_vlan,5,6,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=10,pcp=2),9,10,pop_vlan,push_vlan(vid=0,pcp=2),12,13
3|0/1 100/1|drop
4|-|push_vlan(vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(vid=10,pcp=0),3,pop_vlan,5,6,8,push_vlan(vid=10,pcp=0),9,10,pop_vlan,12,13
4|0/0|pop_vlan,push_vlan(vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(vid=10,pcp=0),3,pop_vlan,5,6,8,push_vlan(vid=10,pcp=0),9,10,pop_vlan,12,13
4|0/5|pop_vlan,push_vlan(vid=10,pcp=5),100,1,pop_vlan,2,push_vlan(vid=10,pcp=5),3,pop_vlan,5,6,push_vlan(vid=0,pcp=5),8,pop_vlan,push_vlan(vid=10,pcp=5),9,10,pop_vlan,push_vlan(vid=0,pcp=5),12,13
4|10/3|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),3,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,10,pop_vlan,push_vlan(vid=0,pcp=3),12,13
4|20/0|100,1,3,5,9,10,pop_vlan,11,push_vlan(vid=20,pcp=0),12
4|100/1|100,1,5,9,10
4|10/3 100/1|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),3,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,10,pop_vlan,push_vlan(vid=0,pcp=3),12,13
4|88a8:10/0 200/0|100,1,pop_vlan,2,push_vlan(tpid=0x88a8,vid=10,pcp=0),3,pop_vlan,5,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
4|10/2 0/4|100,1,pop_vlan,2,push_vlan(vid=10,pcp=2),3,pop_vlan,5,6,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=10,pcp=2),9,10,pop_vlan,push_vlan(vid=0,pcp=2),12,13
4|0/1 100/1|pop_vlan,push_vlan(vid=10,pcp=1),100,1,pop_vlan,2,push_vlan(vid=10,pcp=1),3,pop_vlan,5,6,push_vlan(vid=0,pcp=1),8,pop_vlan,push_vlan(vid=10,pcp=1),9,10,pop_vlan,push_vlan(vid=0,pcp=1),12,13
5|-|push_vlan(vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(vid=10,pcp=0),3,4,pop_vlan,6,8,push_vlan(vid=10,pcp=0),9,10,pop_vlan,12,13
5|0/0|pop_vlan,push_vlan(vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(vid=10,pcp=0),3,4,pop_vlan,6,8,push_vlan(vid=10,pcp=0),9,10,pop_vlan,12,13
5|0/5|pop_vlan,push_vlan(vid=10,pcp=5),100,1,pop_vlan,2,push_vlan(vid=10,pcp=5),3,4,pop_vlan,6,push_vlan(vid=0,pcp=5),8,pop_vlan,push_vlan(vid=10,pcp=5),9,10,pop_vlan,push_vlan(vid=0,pcp=5),12,13
5|10/3|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),3,4,pop_vlan,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,10,pop_vlan,push_vlan(vid=0,pcp=3),12,13
5|20/0|100,1,3,4,9,10,pop_vlan,11,push_vlan(vid=20,pcp=0),12
5|100/1|100,1,4,9,10
5|10/3 100/1|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),3,4,pop_vlan,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,10,pop_vlan,push_vlan(vid=0,pcp=3),12,13
5|88a8:10/0 200/0|100,1,pop_vlan,2,push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
5|10/2 0/4|100,1,pop_vlan,2,push_vlan(vid=10,pcp=2),3,4,pop_vlan,6,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=10,pcp=2),9,10,pop_vlan,push_vlan(vid=0,pcp=2),12,13
5|0/1 100/1|pop_vlan,push_vlan(vid=10,pcp=1),100,1,pop_vlan,2,push_vlan(vid=10,pcp=1),3,4,pop_vlan,6,push_vlan(vid=0,pcp=1),8,pop_vlan,push_vlan(vid=10,pcp=1),9,10,pop_vlan,push_vlan(vid=0,pcp=1),12,13
6|-|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,8,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
6|0/0|pop_vlan,push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,8,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,pop_vlan,push_vlan(vid=0,pcp=0),push_vlan(tpid=0x88a8,vid=10,pcp=0),10,pop_vlan,pop_vlan,12,push_vlan(vid=0,pcp=0),13
6|0/5|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=5),push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,8,push_vlan(tpid=0x88a8,vid=10,pcp=5),9,10,pop_vlan,12,13
6|10/3|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,push_vlan(tpid=0x88a8,vid=10,pcp=3),9,10,pop_vlan,12,13
6|20/0|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
6|100/1|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,7,push_vlan(tpid=0x88a8,vid=10,pcp=1),9,10,pop_vlan,12,13
6|10/3 100/1|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,push_vlan(tpid=0x88a8,vid=10,pcp=3),9,10,pop_vlan,12,13
6|88a8:10/0 200/0|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
6|10/2 0/4|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,push_vlan(tpid=0x88a8,vid=10,pcp=2),9,10,pop_vlan,12,13
6|0/1 100/1|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=1),push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,8,push_vlan(tpid=0x88a8,vid=10,pcp=1),9,10,pop_vlan,12,13
7|-|drop
7|0/0|drop
7|0/5|drop
7|10/3|drop
7|20/0|drop
7|100/1|push_vlan(vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,push_vlan(vid=10,pcp=1),9,10,pop_vlan,12,13
7|10/3 100/1|drop
7|88a8:10/0 200/0|drop
7|10/2 0/4|drop
7|0/1 100/1|drop
8|-|push_vlan(vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(vid=10,pcp=0),3,4,pop_vlan,5,6,push_vlan(vid=10,pcp=0),9,10,pop_vlan,12,13
8|0/0|pop_vlan,push_vlan(vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(vid=10,pcp=0),3,4,pop_vlan,5,6,push_vlan(vid=10,pcp=0),9,10,pop_vlan,12,13
8|0/5|pop_vlan,push_vlan(vid=10,pcp=5),100,1,pop_vlan,2,push_vlan(vid=10,pcp=5),3,4,pop_vlan,5,6,push_vlan(vid=10,pcp=5),9,10,pop_vlan,push_vlan(vid=0,pcp=5),12,13
8|10/3|drop
8|20/0|drop
8|100/1|drop
8|10/3 100/1|drop
8|88a8:10/0 200/0|drop
8|10/2 0/4|drop
8|0/1 100/1|pop_vlan,push_vlan(vid=10,pcp=1),100,1,pop_vlan,2,push_vlan(vid=10,pcp=1),3,4,pop_vlan,5,6,push_vlan(vid=10,pcp=1),9,10,pop_vlan,push_vlan(vid=0,pcp=1),12,13
9|-|100,1,10
9|0/0|pop_vlan,100,1,push_vlan(vid=0,pcp=0),10
9|0/5|100,1,10
9|10/3|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),10,pop_vlan,push_vlan(vid=0,pcp=3),12,13
9|20/0|100,1,3,4,5,10,pop_vlan,11,push_vlan(vid=20,pcp=0),12
9|100/1|100,1,4,5,10
9|10/3 100/1|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),10,pop_vlan,push_vlan(vid=0,pcp=3),12,13
9|88a8:10/0 200/0|100,1,pop_vlan,2,push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=0),10,pop_vlan,12,13
9|10/2 0/4|100,1,pop_vlan,2,push_vlan(vid=10,pcp=2),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=10,pcp=2),10,pop_vlan,push_vlan(vid=0,pcp=2),12,13
9|0/1 100/1|100,1,10
10|-|100,1,9
10|0/0|pop_vlan,100,1,9
10|0/5|100,1,9
10|10/3|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,pop_vlan,push_vlan(vid=0,pcp=3),12,13
10|20/0|100,1,3,4,5,9,pop_vlan,11,push_vlan(vid=20,pcp=0),12
10|100/1|100,1,4,5,9
10|10/3 100/1|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,pop_vlan,push_vlan(vid=0,pcp=3),12,13
10|88a8:10/0 200/0|100,1,pop_vlan,2,push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,pop_vlan,12,13
10|10/2 0/4|100,1,pop_vlan,2,push_vlan(vid=10,pcp=2),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=10,pcp=2),9,pop_vlan,push_vlan(vid=0,pcp=2),12,13
10|0/1 100/1|100,1,9
11|-|push_vlan(vid=20,pcp=0),100,1,3,4,5,9,10,12
11|0/0|pop_vlan,push_vlan(vid=20,pcp=0),100,1,3,4,5,9,10,12
11|0/5|pop_vlan,push_vlan(vid=20,pcp=5),100,1,3,4,5,9,10,12
11|10/3|drop
11|20/0|drop
11|100/1|drop
11|10/3 100/1|drop
11|88a8:10/0 200/0|drop
11|10/2 0/4|drop
11|0/1 100/1|pop_vlan,push_vlan(vid=20,pcp=1),100,1,3,4,5,9,10,12
12|-|push_vlan(vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(vid=10,pcp=0),3,4,pop_vlan,5,6,8,push_vlan(vid=10,pcp=0),9,10,pop_vlan,13
12|0/0|pop_vlan,push_vlan(vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(vid=10,pcp=0),3,4,pop_vlan,5,6,8,push_vlan(vid=10,pcp=0),9,10,pop_vlan,13
12|0/5|pop_vlan,push_vlan(vid=10,pcp=5),100,1,pop_vlan,2,push_vlan(vid=10,pcp=5),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=5),8,pop_vlan,push_vlan(vid=10,pcp=5),9,10,pop_vlan,push_vlan(vid=0,pcp=5),13
12|10/3|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,10,pop_vlan,push_vlan(vid=0,pcp=3),13
12|20/0|100,1,3,4,5,9,10,pop_vlan,11
12|100/1|drop
12|10/3 100/1|100,1,pop_vlan,2,push_vlan(vid=10,pcp=3),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=3),8,pop_vlan,push_vlan(vid=10,pcp=3),9,10,pop_vlan,push_vlan(vid=0,pcp=3),13
12|88a8:10/0 200/0|100,1,pop_vlan,2,push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,13
12|10/2 0/4|100,1,pop_vlan,2,push_vlan(vid=10,pcp=2),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=10,pcp=2),9,10,pop_vlan,push_vlan(vid=0,pcp=2),13
12|0/1 100/1|pop_vlan,push_vlan(vid=10,pcp=1),100,1,pop_vlan,2,push_vlan(vid=10,pcp=1),3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=1),8,pop_vlan,push_vlan(vid=10,pcp=1),9,10,pop_vlan,push_vlan(vid=0,pcp=1),13
13|-|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12
13|0/0|pop_vlan,push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,pop_vlan,2,push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,pop_vlan,push_vlan(vid=0,pcp=0),push_vlan(tpid=0x88a8,vid=10,pcp=0),10,pop_vlan,pop_vlan,12
13|0/5|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=5),push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=5),9,10,pop_vlan,12
13|10/3|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,push_vlan(tpid=0x88a8,vid=10,pcp=3),9,10,pop_vlan,12
13|20/0|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12
13|100/1|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,7,push_vlan(tpid=0x88a8,vid=10,pcp=1),9,10,pop_vlan,12
13|10/3 100/1|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,push_vlan(tpid=0x88a8,vid=10,pcp=3),9,10,pop_vlan,12
13|88a8:10/0 200/0|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12
13|10/2 0/4|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,push_vlan(tpid=0x88a8,vid=10,pcp=2),9,10,pop_vlan,12
13|0/1 100/1|push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=1),push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=1),9,10,pop_vlan,12
`;

/** other_config:vlan-limit=2, frames with two tags; those with fewer go as above. */
export const TWO_TAGS = `
1|10/3 100/1|100,3,4,pop_vlan,5,6,7,push_vlan(vid=10,pcp=3),9,10,pop_vlan,pop_vlan,push_vlan(vid=100,pcp=3),12,13
1|88a8:10/0 200/0|100,3,4,pop_vlan,5,6,7,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
1|10/2 0/4|100,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),3,4,pop_vlan,5,6,pop_vlan,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),9,10,pop_vlan,pop_vlan,push_vlan(vid=0,pcp=2),12,13
1|0/1 100/1|100,9,10
2|10/3 100/1|drop
2|88a8:10/0 200/0|drop
2|10/2 0/4|drop
2|0/1 100/1|pop_vlan,pop_vlan,push_vlan(vid=10,pcp=1),100,1,3,4,pop_vlan,5,6,push_vlan(vid=0,pcp=1),8,pop_vlan,push_vlan(vid=10,pcp=1),9,10,pop_vlan,push_vlan(vid=0,pcp=1),12,13
3|10/3 100/1|100,1,4,pop_vlan,5,6,7,push_vlan(vid=10,pcp=3),9,10,pop_vlan,pop_vlan,push_vlan(vid=100,pcp=3),12,13
3|88a8:10/0 200/0|100,1,4,pop_vlan,5,6,7,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
3|10/2 0/4|100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),4,pop_vlan,5,6,pop_vlan,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),9,10,pop_vlan,pop_vlan,push_vlan(vid=0,pcp=2),12,13
3|0/1 100/1|drop
4|10/3 100/1|100,1,3,pop_vlan,5,6,7,push_vlan(vid=10,pcp=3),9,10,pop_vlan,pop_vlan,push_vlan(vid=100,pcp=3),12,13
4|88a8:10/0 200/0|100,1,3,pop_vlan,5,6,7,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
4|10/2 0/4|100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),3,pop_vlan,5,6,pop_vlan,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),9,10,pop_vlan,pop_vlan,push_vlan(vid=0,pcp=2),12,13
4|0/1 100/1|pop_vlan,push_vlan(vid=10,pcp=1),100,1,3,pop_vlan,5,6,7,push_vlan(vid=10,pcp=1),9,10,pop_vlan,12,13
5|10/3 100/1|100,1,3,4,pop_vlan,6,7,push_vlan(vid=10,pcp=3),9,10,pop_vlan,pop_vlan,push_vlan(vid=100,pcp=3),12,13
5|88a8:10/0 200/0|100,1,3,4,pop_vlan,6,7,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
5|10/2 0/4|100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),3,4,pop_vlan,6,pop_vlan,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),9,10,pop_vlan,pop_vlan,push_vlan(vid=0,pcp=2),12,13
5|0/1 100/1|pop_vlan,push_vlan(vid=10,pcp=1),100,1,3,4,pop_vlan,6,7,push_vlan(vid=10,pcp=1),9,10,pop_vlan,12,13
6|10/3 100/1|pop_vlan,pop_vlan,push_vlan(vid=10,pcp=3),push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,push_vlan(tpid=0x88a8,vid=10,pcp=3),9,10,pop_vlan,12,13
6|88a8:10/0 200/0|pop_vlan,pop_vlan,push_vlan(tpid=0x88a8,vid=10,pcp=0),push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12,13
6|10/2 0/4|pop_vlan,pop_vlan,push_vlan(vid=10,pcp=2),push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,push_vlan(tpid=0x88a8,vid=10,pcp=2),9,10,pop_vlan,12,13
6|0/1 100/1|pop_vlan,pop_vlan,push_vlan(vid=0,pcp=1),push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=1),push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,8,push_vlan(tpid=0x88a8,vid=10,pcp=1),9,10,pop_vlan,12,13
7|10/3 100/1|drop
7|88a8:10/0 200/0|drop
7|10/2 0/4|drop
7|0/1 100/1|drop
8|10/3 100/1|drop
8|88a8:10/0 200/0|drop
8|10/2 0/4|drop
8|0/1 100/1|pop_vlan,pop_vlan,push_vlan(vid=10,pcp=1),100,1,pop_vlan,2,push_vlan(vid=10,pcp=1),3,4,pop_vlan,5,6,push_vlan(vid=10,pcp=1),9,10,pop_vlan,push_vlan(vid=0,pcp=1),12,13
9|10/3 100/1|100,1,3,4,pop_vlan,5,6,7,push_vlan(vid=10,pcp=3),10,pop_vlan,pop_vlan,push_vlan(vid=100,pcp=3),12,13
9|88a8:10/0 200/0|100,1,3,4,pop_vlan,5,6,7,push_vlan(tpid=0x88a8,vid=10,pcp=0),10,pop_vlan,12,13
9|10/2 0/4|100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),3,4,pop_vlan,5,6,pop_vlan,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),10,pop_vlan,pop_vlan,push_vlan(vid=0,pcp=2),12,13
9|0/1 100/1|100,1,10
10|10/3 100/1|100,1,3,4,pop_vlan,5,6,7,push_vlan(vid=10,pcp=3),9,pop_vlan,pop_vlan,push_vlan(vid=100,pcp=3),12,13
10|88a8:10/0 200/0|100,1,3,4,pop_vlan,5,6,7,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,pop_vlan,12,13
10|10/2 0/4|100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),3,4,pop_vlan,5,6,pop_vlan,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),9,pop_vlan,pop_vlan,push_vlan(vid=0,pcp=2),12,13
10|0/1 100/1|100,1,9
11|10/3 100/1|drop
11|88a8:10/0 200/0|drop
11|10/2 0/4|drop
11|0/1 100/1|pop_vlan,pop_vlan,push_vlan(vid=20,pcp=1),100,1,3,4,5,9,10,12
12|10/3 100/1|100,1,3,4,pop_vlan,5,6,7,push_vlan(vid=10,pcp=3),9,10,pop_vlan,pop_vlan,push_vlan(vid=100,pcp=3),13
12|88a8:10/0 200/0|100,1,3,4,pop_vlan,5,6,7,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,13
12|10/2 0/4|100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),3,4,pop_vlan,5,6,pop_vlan,push_vlan(vid=0,pcp=2),8,pop_vlan,push_vlan(vid=0,pcp=4),push_vlan(vid=10,pcp=2),9,10,pop_vlan,pop_vlan,push_vlan(vid=0,pcp=2),13
12|0/1 100/1|pop_vlan,push_vlan(vid=10,pcp=1),100,1,3,4,pop_vlan,5,6,7,push_vlan(vid=10,pcp=1),9,10,pop_vlan,13
13|10/3 100/1|pop_vlan,pop_vlan,push_vlan(vid=10,pcp=3),push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,push_vlan(tpid=0x88a8,vid=10,pcp=3),9,10,pop_vlan,12
13|88a8:10/0 200/0|pop_vlan,pop_vlan,push_vlan(tpid=0x88a8,vid=10,pcp=0),push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,push_vlan(tpid=0x88a8,vid=10,pcp=0),9,10,pop_vlan,12
13|10/2 0/4|pop_vlan,pop_vlan,push_vlan(vid=10,pcp=2),push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,3,4,pop_vlan,5,6,push_vlan(tpid=0x88a8,vid=10,pcp=2),9,10,pop_vlan,12
13|0/1 100/1|pop_vlan,pop_vlan,push_vlan(vid=0,pcp=1),push_vlan(tpid=0x88a8,vid=10,pcp=0),100,1,pop_vlan,pop_vlan,2,push_vlan(vid=0,pcp=1),push_vlan(tpid=0x88a8,vid=10,pcp=0),3,4,pop_vlan,5,6,8,push_vlan(tpid=0x88a8,vid=10,pcp=1),9,10,pop_vlan,12
`;
