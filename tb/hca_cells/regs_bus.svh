// Software's way to the registers of hca_regs_tb: one access, one register written and read back, as many accesses at once as there can be.
// Included in its module.

task automatic write(logic [8:0] addr, longint unsigned data);
  automatic int unsigned first = $urandom() % 3;
  automatic bit told = 0, given = 0;
  while (!told || !given) begin
    @(negedge clk);
    awvalid = !told && first != 1 || !told && given;
    wvalid  = !given && first != 2 || !given && told;
    awaddr  = addr | 9'($urandom() % 8);
    wdata   = data;
    #1;
    if (awvalid && awready) told = 1;
    if (wvalid && wready) given = 1;
    @(posedge clk) #1;
    {awvalid, wvalid} = '0;
  end
  bready = 1;
  do @(negedge clk); while (!bvalid);
  check(bresp == 0, "a write is refused");
  @(posedge clk) #1 bready = 0;
endtask

task automatic read(logic [8:0] addr, output logic [63:0] data);
  @(negedge clk);
  arvalid = 1;
  araddr  = addr | 9'($urandom() % 8);
  #1;
  while (!arready) @(negedge clk) #1;
  @(posedge clk) #1 arvalid = 0;
  rready = chance(50);
  do @(negedge clk); while (!rvalid);
  if (!rready) @(negedge clk) rready = 1;
  check(rresp == 0, "a read is refused");
  data = rdata;
  @(posedge clk) #1 rready = 0;
endtask

task automatic written(string name, longint unsigned data, longint unsigned bits);
  automatic logic [63:0] got;
  write(at(name), data);
  read(at(name), got);
  check(got == (data & bits), $sformatf("%s: %0h is read, %0h was written", name, got, data));
  note(got);
endtask

task automatic shown(string name, longint unsigned what);
  automatic logic [63:0] got;
  read(at(name), got);
  check(got == what, $sformatf("%s: %0h is read, it is %0h", name, got, what));
  note(got);
endtask

// More at once than the block takes.
task automatic crowd();
  automatic longint unsigned value = any();
  automatic int unsigned asked = 0, told = 0, given = 0, answered = 0, done = 0;
  written("retry", value, '1);
  for (int unsigned i = 0; i < 40; i++) begin
    @(negedge clk);
    {arvalid, awvalid, wvalid} = {3{i < 12}};
    {bready, rready} = {2{i > 8}};
    {araddr, awaddr, wdata} = {at("retry"), at("retry"), value};
    #1;
    asked += 32'(arvalid && arready);
    told  += 32'(awvalid && awready);
    given += 32'(wvalid && wready);
    done  += 32'(bvalid && bready);
    if (rvalid && rready) begin
      check(rdata == value, "one of several answers");
      answered++;
    end
  end
  @(negedge clk) {bready, rready} = '0;
  check(asked == answered && told == given && told == done, "accesses at once: one is not answered");
  note(value);
endtask
