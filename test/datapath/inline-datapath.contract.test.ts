import { InlineDatapath } from '../../src/datapath/inline-datapath.ts';
import { VirtualClock } from '../../src/util/virtual-clock.ts';
import { datapathContract } from '../contract/datapath.ts';

datapathContract('the inline datapath', async () => {
  const datapath = new InlineDatapath(new VirtualClock(1000));
  return {
    datapath,
    inject: (port, frame, offload) => void datapath.injectFrame(port, frame, offload),
    onTransmit: (port, tap) => datapath.onTransmit(port, tap),
    close: async () => {},
  };
});
