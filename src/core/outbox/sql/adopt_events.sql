-- Puts all events before every transaction of this cluster, in the order of their sequence.
update events set transaction = '0' where transaction <> '0'
