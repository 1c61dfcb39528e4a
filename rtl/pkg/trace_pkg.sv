// Generated from spec/ by `make gen`. Do not edit.

package trace_pkg;

  localparam int unsigned VM_MMAP = 32'd1;  // mmap entered
  localparam int unsigned VM_MUNMAP = 32'd2;  // munmap entered
  localparam int unsigned VM_MPROTECT = 32'd3;  // mprotect entered
  localparam int unsigned VM_MREMAP = 32'd4;  // mremap entered
  localparam int unsigned VM_BRK = 32'd5;  // brk entered
  localparam int unsigned VM_MADVISE = 32'd6;  // madvise(DONTNEED) entered
  localparam int unsigned VM_FORK = 32'd7;  // fork entered
  localparam int unsigned VM_FAULT_BEGIN = 32'd8;  // CPU or driver fault entered
  localparam int unsigned VM_FAULT = 32'd9;  // CPU or driver fault handled; kind: 0 anon, 1 swap-in, 2 cow copy, 3 reuse, 4 error
  localparam int unsigned VM_PAGEOUT = 32'd10;  // reclaim begins to take a page out of its mappings
  localparam int unsigned VM_RECLAIM = 32'd11;  // a page was unmapped by reclaim
  localparam int unsigned VM_SWAP_OUT = 32'd12;  // a page's bytes went to swap
  localparam int unsigned VM_MIGRATE_BEGIN = 32'd13;  // migration begins to move a page
  localparam int unsigned VM_MIGRATE = 32'd14;  // a page's bytes moved to another frame
  localparam int unsigned VM_EXIT = 32'd15;  // exit entered
  localparam int unsigned VM_DONE = 32'd16;  // the operation this task entered last was left, whatever came of it
  localparam int unsigned MN_RELEASE = 32'd17;  // release dispatched
  localparam int unsigned MN_RELEASE_DONE = 32'd18;  // release returned
  localparam int unsigned MN_AGE_PAGE = 32'd19;  // age_page returned
  localparam int unsigned MN_INVALIDATE_PAGE = 32'd20;  // invalidate_page dispatched
  localparam int unsigned MN_INVALIDATE_PAGE_DONE = 32'd21;  // invalidate_page returned
  localparam int unsigned MN_RANGE_BEGIN = 32'd22;  // invalidate_range_begin dispatched
  localparam int unsigned MN_RANGE_BEGIN_DONE = 32'd23;  // invalidate_range_begin returned
  localparam int unsigned MN_RANGE_END = 32'd24;  // invalidate_range_end returned
  localparam int unsigned DRV_INTR = 32'd25;  // interrupt handler took the fault map
  localparam int unsigned DRV_INTR_DONE = 32'd26;  // interrupt handler left
  localparam int unsigned DRV_CALL_OS = 32'd27;  // the user called the driver about a miss
  localparam int unsigned DRV_CALL_OS_DONE = 32'd28;  // the user's call left
  localparam int unsigned DRV_DROPIN = 32'd29;  // drop-in issued
  localparam int unsigned DRV_UPM = 32'd30;  // fault handed to user polling
  localparam int unsigned DRV_EXCEPTION = 32'd31;  // fault answered with an exception
  localparam int unsigned DRV_SHOOTDOWN = 32'd32;  // shootdown issued
  localparam int unsigned DRV_SHOOTDOWN_DONE = 32'd33;  // shootdown status seen
  localparam int unsigned DRV_LOAD_BEGIN = 32'd34;  // load of a context entered
  localparam int unsigned DRV_LOAD = 32'd35;  // context loaded
  localparam int unsigned DRV_UNLOAD_BEGIN = 32'd36;  // unload of a context entered
  localparam int unsigned DRV_UNLOAD = 32'd37;  // context unloaded
  localparam int unsigned DRV_STEAL = 32'd38;  // context stolen
  localparam int unsigned USR_ISSUE = 32'd39;  // instruction started on control block cb of a context
  localparam int unsigned USR_DONE = 32'd40;  // instruction seen finished
  localparam int unsigned DEV_MISS = 32'd41;  // lookup missed and parked the control block
  localparam int unsigned DEV_FILL = 32'd42;  // drop-in entered the TLB
  localparam int unsigned DEV_FILL_DROPPED = 32'd43;  // drop-in ignored: a shootdown covered it
  localparam int unsigned DEV_SHOOT_ACCEPT = 32'd44;  // shootdown accepted: covered entries are dead
  localparam int unsigned DEV_SHOOT_DONE = 32'd45;  // shootdown status returned to idle
  localparam int unsigned DEV_KILL = 32'd46;  // an entry left the TLB by a shootdown
  localparam int unsigned DEV_RESTART = 32'd47;  // control block runs again after a fault
  localparam int unsigned DEV_CB_DONE = 32'd48;  // instruction finished
  localparam int unsigned DEV_IRQ = 32'd49;  // interrupt line changed
  localparam int unsigned DEV_CCH = 32'd50;  // context changed state

  // Kinds of lines the device tells of (hwif.port.LineKind).
  localparam int SNOOP_CB = 0;  // control block, by its physical number
  localparam int SNOOP_TFH = 1;  // fault handle
  localparam int SNOOP_TGH = 2;  // shootdown handle
  localparam int SNOOP_CCH = 3;  // context handle

endpackage
