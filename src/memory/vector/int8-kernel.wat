;; Dot products of one query with many quantized vectors, by 128-bit SIMD.
;;   $codes    first vector: $stride signed bytes each, one after the other
;;   $count    vectors
;;   $stride   bytes of a vector, a multiple of 16, padded with zeros
;;   $query    $stride signed 16-bit numbers
;;   $products where $count signed 32-bit products go
;; The caller keeps the query small enough for 32 bits: a lane adds up $stride / 4 products.
(module
  (import "host" "memory" (memory 1 65536))
  (func (export "dot")
    (param $codes i32) (param $count i32) (param $stride i32) (param $query i32) (param $products i32)
    (local $end i32) (local $at i32) (local $rest i32)
    (local $bytes v128) (local $low v128) (local $high v128)
    (local.set $end (i32.add (local.get $products) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $products) (local.get $end)))
        (local.set $low (v128.const i32x4 0 0 0 0))
        (local.set $high (v128.const i32x4 0 0 0 0))
        (local.set $at (local.get $query))
        (local.set $rest (local.get $stride))
        (loop $parts
          (local.set $bytes (v128.load (local.get $codes)))
          (local.set $low (i32x4.add (local.get $low)
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $bytes)) (v128.load (local.get $at)))))
          (local.set $high (i32x4.add (local.get $high)
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $bytes)) (v128.load offset=16 (local.get $at)))))
          (local.set $codes (i32.add (local.get $codes) (i32.const 16)))
          (local.set $at (i32.add (local.get $at) (i32.const 32)))
          (br_if $parts (local.tee $rest (i32.sub (local.get $rest) (i32.const 16)))))
        (local.set $low (i32x4.add (local.get $low) (local.get $high)))
        (i32.store (local.get $products)
          (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $low)) (i32x4.extract_lane 1 (local.get $low)))
            (i32.add (i32x4.extract_lane 2 (local.get $low)) (i32x4.extract_lane 3 (local.get $low)))))
        (local.set $products (i32.add (local.get $products) (i32.const 4)))
        (br $vectors)))))
