;; Makes objects on the engine's heap: `garbage` forgets them, `hoard` keeps all.
(module
  (type $bytes (array (mut i8)))
  (type $node (struct (field $next (ref null $node)) (field $data (ref $bytes))))
  (memory (export "memory") 1)
  (global $first (mut (ref null $node)) (ref.null $node))

  (func (export "garbage")
    (loop $again
      (drop (struct.new $node (ref.null $node) (array.new_default $bytes (i32.const 1000))))
      (br $again)))

  (func (export "hoard")
    (loop $again
      (global.set $first (struct.new $node (global.get $first) (array.new_default $bytes (i32.const 1000))))
      (br $again)))
  (func (export "_start")))
