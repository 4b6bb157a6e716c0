/** The tags, attributes and forms that are read (DWARF 5, 7.5, and GNU's additions before it). */

export const Tag = {
  classType: 0x02,
  enumerationType: 0x04,
  compileUnit: 0x11,
  structureType: 0x13,
  unionType: 0x17,
  inlinedSubroutine: 0x1d,
  subprogram: 0x2e,
  interfaceType: 0x38,
  partialUnit: 0x3c,
  typeUnit: 0x41,
  skeletonUnit: 0x4a,
} as const;

export const Attribute = {
  sibling: 0x01,
  name: 0x03,
  stmtList: 0x10,
  lowPc: 0x11,
  highPc: 0x12,
  language: 0x13,
  compDir: 0x1b,
  abstractOrigin: 0x31,
  specification: 0x47,
  entryPc: 0x52,
  ranges: 0x55,
  callFile: 0x58,
  callLine: 0x59,
  linkageName: 0x6e,
  strOffsetsBase: 0x72,
  addrBase: 0x73,
  rnglistsBase: 0x74,
  mipsLinkageName: 0x2007,
  gnuDwoId: 0x2131,
  gnuRangesBase: 0x2132,
  gnuAddrBase: 0x2133,
} as const;

export const Form = {
  addr: 0x01,
  block2: 0x03,
  block4: 0x04,
  data2: 0x05,
  data4: 0x06,
  data8: 0x07,
  string: 0x08,
  block: 0x09,
  block1: 0x0a,
  data1: 0x0b,
  flag: 0x0c,
  sdata: 0x0d,
  strp: 0x0e,
  udata: 0x0f,
  refAddr: 0x10,
  ref1: 0x11,
  ref2: 0x12,
  ref4: 0x13,
  ref8: 0x14,
  refUdata: 0x15,
  indirect: 0x16,
  secOffset: 0x17,
  exprloc: 0x18,
  flagPresent: 0x19,
  strx: 0x1a,
  addrx: 0x1b,
  refSup4: 0x1c,
  strpSup: 0x1d,
  data16: 0x1e,
  lineStrp: 0x1f,
  refSig8: 0x20,
  implicitConst: 0x21,
  loclistx: 0x22,
  rnglistx: 0x23,
  refSup8: 0x24,
  strx1: 0x25,
  strx2: 0x26,
  strx3: 0x27,
  strx4: 0x28,
  addrx1: 0x29,
  addrx2: 0x2a,
  addrx3: 0x2b,
  addrx4: 0x2c,
  gnuAddrIndex: 0x1f01,
  gnuStrIndex: 0x1f02,
  gnuRefAlt: 0x1f20,
  gnuStrpAlt: 0x1f21,
} as const;

/** Kinds of units in DWARF 5's headers (7.5.1). */
export const UnitType = {
  compile: 0x01,
  type: 0x02,
  partial: 0x03,
  skeleton: 0x04,
  splitCompile: 0x05,
  splitType: 0x06,
} as const;

export function isAddressForm(form: number): boolean {
  return form === Form.addr || isAddressIndexForm(form);
}

/** The value is an index into .debug_addr. */
export function isAddressIndexForm(form: number): boolean {
  return (
    form === Form.addrx ||
    (form >= Form.addrx1 && form <= Form.addrx4) ||
    form === Form.gnuAddrIndex
  );
}

/** The value is a number, of whatever size. */
export function isConstantForm(form: number): boolean {
  return (
    form === Form.data1 ||
    form === Form.data2 ||
    form === Form.data4 ||
    form === Form.data8 ||
    form === Form.udata ||
    form === Form.sdata ||
    form === Form.implicitConst
  );
}

/** The value is an offset in a section; before DWARF 4 it looks like any number. */
export function isOffsetForm(form: number): boolean {
  return form === Form.secOffset || form === Form.data4 || form === Form.data8;
}

/** The value is an index into .debug_str_offsets. */
export function isStringIndexForm(form: number): boolean {
  return (
    form === Form.strx || (form >= Form.strx1 && form <= Form.strx4) || form === Form.gnuStrIndex
  );
}

/** The value is an offset in the supplementary file's .debug_str. */
export function isSupplementaryString(form: number): boolean {
  return form === Form.gnuStrpAlt || form === Form.strpSup;
}

/** The value is an offset in the supplementary file's .debug_info. */
export function isSupplementaryReference(form: number): boolean {
  return form === Form.gnuRefAlt || form === Form.refSup4 || form === Form.refSup8;
}
