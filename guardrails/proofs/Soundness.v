(** Soundness of the checker: a bound that it proves holds in every rational scenario of the set. *)
Require Import ZArith QArith Qminmax Lqa List Bool Lia.
From AgentFund Require Export Checker Meaning.
From AgentFund Require Import Lines.
Import ListNotations.
Local Open Scope Q_scope.

(** * The parts of a leaf *)

Lemma add_hinges_above : forall b hs ts f g x, add_hinges b hs ts f = Some g ->
  in_box b x -> length (snd f) = length x ->
  length (snd g) = length x /\
  affine_value f x + hinges_value hs x * inject_Z one <= affine_value g x.
Proof.
  intros b hs. induction hs as [|h hs IH]; intros ts f g x H B L; cbn [add_hinges] in H.
  - destruct ts; [|discriminate]. injection H as H. subst. split; [assumption|]. simpl. lra.
  - destruct (get b (driver h)) as [[low high]|] eqn:G; [|discriminate].
    destruct (get_in_box _ _ _ _ _ B G) as [Lo Hi].
    assert (S : forall m c us f', add_line f (driver h) m c = Some f' ->
      add_hinges b hs us f' = Some g ->
      hinge_value h x * inject_Z one <= inject_Z m * move x (driver h) + inject_Z c ->
      length (snd g) = length x /\
      affine_value f x + hinges_value (h :: hs) x * inject_Z one <= affine_value g x).
    { intros m c us f' A R M. destruct (add_line_value _ _ _ _ _ x A L) as [L' V].
      destruct (IH _ _ _ _ R B L') as [L'' V']. split; [assumption|].
      change (hinges_value (h :: hs) x) with (hinge_value h x + hinges_value hs x). lra. }
    destruct (0 <=? weight h)%Z eqn:W.
    + apply Z.leb_le in W. destruct (chord h low high) as [m c] eqn:C.
      destruct (add_line f (driver h) m c) as [f'|] eqn:A; [|discriminate].
      apply (S m c _ f' A H). exact (chord_above _ _ _ _ _ _ C W Lo Hi).
    + apply Z.leb_gt in W. destruct ts as [|t ts]; [discriminate|].
      destruct ((0 <=? t) && (t <=? one))%Z eqn:T; [|discriminate].
      apply andb_prop in T. destruct T as [T0 T1]. apply Z.leb_le in T0. apply Z.leb_le in T1.
      destruct (tangent h t) as [m c] eqn:C.
      destruct (add_line f (driver h) m c) as [f'|] eqn:A; [|discriminate].
      apply (S m c _ f' A H). exact (tangent_above _ _ _ _ _ C W (conj T0 T1)).
Qed.

Lemma subtract_terms_value : forall y ts f g x, subtract_terms y ts f = Some g ->
  length (snd f) = length x ->
  length (snd g) = length x /\
  affine_value g x == affine_value f x - inject_Z y * terms_value ts x.
Proof.
  intros y ts. induction ts as [|[i c] ts IH]; intros f g x H L; simpl in H.
  - injection H as H. subst. split; [assumption|]. simpl. ring.
  - destruct (add_line f i (- (y * c)) 0) as [f'|] eqn:A; [|discriminate].
    destruct (add_line_value _ _ _ _ _ x A L) as [L' V].
    destruct (IH _ _ _ H L') as [L'' V']. split; [assumption|].
    rewrite V', V. push. simpl. change (inject_Z 0) with 0. ring.
Qed.

Lemma get_satisfied : forall rs i r x, satisfies rs x -> get rs i = Some r ->
  terms_value (terms r) x <= inject_Z (limit r).
Proof.
  unfold satisfies. induction rs as [|r0 rs IH]; intros i r x H G; simpl in G; [discriminate|].
  inversion H; subst. destruct (i =? 0)%Z; [injection G as G; subst; assumption|eauto].
Qed.

Lemma add_rows_above : forall rs ys previous f g x, add_rows rs previous ys f = Some g ->
  satisfies rs x -> length (snd f) = length x ->
  length (snd g) = length x /\ affine_value f x <= affine_value g x.
Proof.
  intros rs ys. induction ys as [|[i y] ys IH]; intros previous f g x H S L; simpl in H.
  - injection H as H. subst. split; [assumption|lra].
  - destruct ((previous <? i) && (0 <? y))%Z eqn:C; [|discriminate].
    apply andb_prop in C. destruct C as [_ Y]. apply Z.ltb_lt in Y.
    destruct (get rs i) as [r|] eqn:G; [|discriminate].
    destruct (subtract_terms y (terms r) (fst f + y * limit r, snd f)%Z) as [f'|] eqn:A;
      [|discriminate].
    destruct (subtract_terms_value _ _ _ _ x A L) as [L' V].
    destruct (IH _ _ _ _ H S L') as [L'' V']. split; [assumption|].
    pose proof (get_satisfied _ _ _ _ S G) as R.
    assert (0 <= inject_Z y * (inject_Z (limit r) - terms_value (terms r) x)).
    { apply Qmult_le_0_compat; [|lra]. change 0 with (inject_Z 0). rewrite <- Zle_Qle. lia. }
    assert (E : affine_value (fst f + y * limit r, snd f)%Z x
      == affine_value f x + inject_Z y * inject_Z (limit r)).
    { unfold affine_value. simpl. push. ring. }
    lra.
Qed.

Lemma support_above : forall b a s x, support b a = Some s -> in_box b x ->
  dot a x <= inject_Z s.
Proof.
  induction b as [|[low high] b IH]; intros [|c a] s [|v x] H B; simpl in *;
    try discriminate; try contradiction.
  - injection H as H. subst. change (inject_Z 0) with 0. lra.
  - destruct (support b a) as [s'|] eqn:E; [|discriminate]. injection H as H. subst.
    destruct B as [[L R] B]. specialize (IH _ _ _ E B). push.
    destruct (0 <? c)%Z eqn:P.
    + apply Z.ltb_lt in P. assert (0 <= inject_Z c).
      { change 0 with (inject_Z 0). rewrite <- Zle_Qle. lia. }
      assert (0 <= inject_Z c * (inject_Z high - v)) by (apply Qmult_le_0_compat; lra). lra.
    + apply Z.ltb_ge in P. assert (0 <= - inject_Z c).
      { rewrite <- inject_Z_opp. change 0 with (inject_Z 0). rewrite <- Zle_Qle. lia. }
      assert (0 <= - inject_Z c * (v - inject_Z low)) by (apply Qmult_le_0_compat; lra). lra.
Qed.

Lemma support_length : forall b a s x, support b a = Some s -> in_box b x ->
  length a = length x.
Proof.
  induction b as [|[low high] b IH]; intros [|c a] s [|v x] H B; simpl in *;
    try discriminate; try contradiction; auto.
  destruct (support b a) as [s'|] eqn:E; [|discriminate]. destruct B. f_equal. eauto.
Qed.

Lemma ceiling_above : forall total, (total <= ceiling total * one)%Z.
Proof.
  intro total. unfold ceiling.
  pose proof (Z.mul_div_le (- total) one ltac:(reflexivity)). lia.
Qed.

Lemma dot_scaled : forall a x, dot (map (fun c => (c * one)%Z) a) x == dot a x * inject_Z one.
Proof.
  induction a as [|c a IH]; intros [|v x]; simpl; try ring.
  rewrite IH. push. ring.
Qed.

(** Lengths: no step changes how many drivers the residual has. *)
Lemma add_hinges_length : forall b hs ts f g, add_hinges b hs ts f = Some g ->
  length (snd g) = length (snd f).
Proof.
  intros b hs. induction hs as [|h hs IH]; intros ts f g H; cbn [add_hinges] in H.
  - destruct ts; [|discriminate]. injection H as H. subst. reflexivity.
  - destruct (get b (driver h)) as [[low high]|]; [|discriminate].
    destruct (0 <=? weight h)%Z.
    + destruct (chord h low high) as [m c].
      destruct (add_line f (driver h) m c) eqn:A; [|discriminate].
      rewrite (IH _ _ _ H). eapply add_line_length; eassumption.
    + destruct ts as [|t ts]; [discriminate|].
      destruct ((0 <=? t) && (t <=? one))%Z; [|discriminate].
      destruct (tangent h t) as [m c].
      destruct (add_line f (driver h) m c) eqn:A; [|discriminate].
      rewrite (IH _ _ _ H). eapply add_line_length; eassumption.
Qed.

Lemma subtract_terms_length : forall y ts f g, subtract_terms y ts f = Some g ->
  length (snd g) = length (snd f).
Proof.
  intros y ts. induction ts as [|[i c] ts IH]; intros f g H; simpl in H.
  - injection H as H. subst. reflexivity.
  - destruct (add_line f i (- (y * c)) 0) eqn:A; [|discriminate].
    rewrite (IH _ _ H). eapply add_line_length; eassumption.
Qed.

Lemma add_rows_length : forall rs ys previous f g, add_rows rs previous ys f = Some g ->
  length (snd g) = length (snd f).
Proof.
  intros rs ys. induction ys as [|[i y] ys IH]; intros previous f g H; simpl in H.
  - injection H as H. subst. reflexivity.
  - destruct ((previous <? i) && (0 <? y))%Z; [|discriminate].
    destruct (get rs i) as [r|]; [|discriminate].
    destruct (subtract_terms y (terms r) (fst f + y * limit r, snd f)%Z) eqn:A; [|discriminate].
    rewrite (IH _ _ _ H). apply (subtract_terms_length _ _ _ _ A).
Qed.

(** * The theorems *)

(** No scenario of a box that satisfies the rows exceeds the bound that a leaf proves there. *)
Theorem leaf_sound : forall f rs b ts ys B x, leaf_bound f rs b ts ys = Some B ->
  in_box b x -> satisfies rs x -> value f x <= inject_Z B.
Proof.
  intros f rs b ts ys B x H Bx S. unfold leaf_bound in H.
  set (f0 := (constant f * one, map (fun c => c * one) (linear f))%Z) in H.
  destruct (add_hinges b (hinges f) ts f0) as [g|] eqn:Hh; [|discriminate].
  destruct (add_rows rs (-1) ys g) as [[total residual]|] eqn:Hr; [|discriminate].
  destruct (support b residual) as [s|] eqn:Hs; [|discriminate]. injection H as H.
  pose proof (support_length _ _ _ _ Hs Bx) as L.
  assert (Lg : length (snd g) = length x).
  { rewrite <- L. symmetry. apply (add_rows_length _ _ _ _ _ Hr). }
  assert (L0 : length (snd f0) = length x).
  { rewrite <- Lg. symmetry. apply (add_hinges_length _ _ _ _ _ Hh). }
  destruct (add_hinges_above _ _ _ _ _ _ Hh Bx L0) as [_ V1].
  destruct (add_rows_above _ _ _ _ _ _ Hr S Lg) as [_ V2].
  pose proof (support_above _ _ _ _ Hs Bx) as V3.
  pose proof (ceiling_above (total + s)) as V4. rewrite H in V4. clear H.
  rewrite Zle_Qle in V4. revert V4. push. intro V4.
  assert (E : affine_value f0 x + hinges_value (hinges f) x * inject_Z one
    == value f x * inject_Z one).
  { unfold affine_value, f0, value. simpl fst. simpl snd. rewrite dot_scaled. push. ring. }
  unfold affine_value in V2 at 2. simpl in V2.
  apply Qmult_le_r with (z := inject_Z one); [exact one_positive|]. lra.
Qed.

(** A scenario of a box lies in one of the halves that a split makes of it. *)
Lemma split_covers : forall b i low high at_ x, in_box b x -> get b i = Some (low, high) ->
  in_box (put b i (low, at_)) x \/ in_box (put b i (at_, high)) x.
Proof.
  induction b as [|[l r] b IH]; intros i low high at_ [|v x] B G; simpl in *;
    try discriminate; try contradiction.
  destruct B as [[L R] B]. destruct (i =? 0)%Z.
  - injection G as Gl Gh. subst. destruct (Qlt_le_dec v (inject_Z at_)) as [A|A].
    + left. simpl. repeat split; auto. lra.
    + right. simpl. repeat split; auto.
  - destruct (IH _ _ _ at_ _ B G); [left|right]; simpl; repeat split; auto.
Qed.

(** No scenario of a box that satisfies the rows exceeds the bound that a tree proves there. *)
Theorem tree_sound : forall f rs c b depth B x, tree_bound f rs c b depth = Some B ->
  in_box b x -> satisfies rs x -> value f x <= inject_Z B.
Proof.
  intros f rs. induction c as [ts ys | i at_ below IHl above IHr];
    intros b depth B x H Bx S; cbn [tree_bound] in H.
  - eapply leaf_sound; eassumption.
  - destruct (0 <? depth)%Z; [|discriminate].
    destruct (get b i) as [[low high]|] eqn:G; [|discriminate].
    destruct ((low <? at_) && (at_ <? high))%Z; [|discriminate].
    destruct (tree_bound f rs below (put b i (low, at_)) (depth - 1)) as [p|] eqn:Hl;
      [|discriminate].
    destruct (tree_bound f rs above (put b i (at_, high)) (depth - 1)) as [q|] eqn:Hr;
      [|discriminate].
    injection H as H.
    assert (P : inject_Z p <= inject_Z B) by (rewrite <- Zle_Qle; lia).
    assert (Q : inject_Z q <= inject_Z B) by (rewrite <- Zle_Qle; lia).
    destruct (split_covers _ _ _ _ at_ _ Bx G) as [K|K].
    + pose proof (IHl _ _ _ _ Hl K S). lra.
    + pose proof (IHr _ _ _ _ Hr K S). lra.
Qed.

(** If the checker proves a bound, no rational scenario of the stress set exceeds it. *)
Theorem checker_sound : forall f s c B, proved_bound f s c = Some B ->
  forall x, in_set s x -> value f x <= inject_Z B.
Proof.
  intros f s c B H x [Bx S]. unfold proved_bound in H.
  destruct (stress_ok s); [|discriminate]. eapply tree_sound; eassumption.
Qed.

(** If the checker accepts a claim, no rational scenario of the stress set exceeds it. *)
Theorem check_sound : forall f s c claim, check f s c claim = true ->
  forall x, in_set s x -> value f x <= inject_Z claim.
Proof.
  intros f s c claim H x X. unfold check in H.
  destruct (proved_bound f s c) as [B|] eqn:E; [|discriminate]. apply Z.leb_le in H.
  rewrite Zle_Qle in H. pose proof (checker_sound _ _ _ _ E x X). lra.
Qed.

(** A stress set about which anything is proved holds the no-move scenario: it is not empty. *)
Theorem no_move_declared : forall f s c B, proved_bound f s c = Some B -> in_set s (no_move s).
Proof.
  intros f s c B H. unfold proved_bound in H. destruct (stress_ok s) eqn:K; [|discriminate].
  apply andb_prop in K. destruct K as [I R].
  rewrite forallb_forall in I. rewrite forallb_forall in R.
  assert (Z0 : forall i, move (no_move s) i == 0).
  { intro i. unfold move, no_move. rewrite get_map. destruct (get (intervals s) i); reflexivity. }
  split.
  - unfold no_move. clear - I. induction (intervals s) as [|[low high] b IH];
      simpl; [exact Logic.I|].
    split; [|apply IH; intros; apply I; right; assumption].
    specialize (I (low, high) (or_introl eq_refl)). simpl in I.
    rewrite !andb_true_iff, !Z.leb_le in I. destruct I as [[_ L] U].
    change 0 with (inject_Z 0). rewrite <- !Zle_Qle. split; assumption.
  - apply Forall_forall. intros r In. specialize (R r In). rewrite andb_true_iff, Z.leb_le in R.
    destruct R as [R _].
    assert (E : forall ts, terms_value ts (no_move s) == 0).
    { induction ts as [|t ts IH]; simpl; [reflexivity|]. rewrite IH, Z0. ring. }
    rewrite E. change 0 with (inject_Z 0). rewrite <- Zle_Qle. assumption.
Qed.
